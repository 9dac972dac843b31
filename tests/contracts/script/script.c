// A contract that evaluates JavaScript. It embeds QuickJS and speaks the ABI of an ink! 5 contract, which metadata.json
// describes: the input is a selector and SCALE-encoded arguments, the output a SCALE-encoded Result.
//
//     new()
//     eval(code: String) -> Result<String, String>
//     run(code: String, args: Vec<String>) -> Result<String, String>
//
// Every call starts a new interpreter; nothing is kept between calls. The answer is String(value) of the last
// statement's value, or of what a promise among them resolves to; the error is String() of what was thrown. run gives
// the script its arguments as the global array scriptArgs.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cutils.h"
#include "quickjs.h"
#include "system.h"

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("seal0", "input") void seal_input(void *buffer, uint32_t *size);
IMPORT("seal0", "value_transferred") void seal_value_transferred(void *buffer, uint32_t *size);
IMPORT("seal0", "seal_return") _Noreturn void seal_return(uint32_t flags, const void *data, uint32_t size);

enum {
	INPUT_BYTES = 256 << 10, // the engine's limits of a call's input and output
	OUTPUT_BYTES = 64 << 10,
	HEADER_BYTES = 2 + 4, // in front of an answer: two Result variants and a compact length
	REVERT = 1,           // flag of seal_return: what the call wrote is undone
	// QuickJS throws "stack overflow" when this much C stack is used. The engine counts nested calls too and ends the
	// contract at its own bound, which scripts' functions, regular expressions and JSON.parse do not reach before this;
	// deeply nested source text does, since the parser makes many calls with little on the C stack.
	SCRIPT_STACK_BYTES = 12 << 10,
	// Of the 16 MiB that a contract may have, what scripts get. An engine charges for the memory that a contract asks for
	// whether it is there or not, so what cannot be had is not asked for.
	SCRIPT_MEMORY_BYTES = 15 << 20,
};

// selector is how the ABI names a constructor or message: the start of the BLAKE2b-256 hash of its label.
typedef uint8_t selector[4];

static const selector NEW = {0x9b, 0xae, 0x9d, 0x5e};
static const selector EVAL = {0x49, 0xbf, 0xcd, 0x24};
static const selector RUN = {0xb9, 0x5b, 0x5e, 0xb3};

static uint8_t input[INPUT_BYTES];
static uint8_t output[OUTPUT_BYTES];

// text is UTF-8 with a length.
typedef struct {
	const char *bytes;
	size_t size;
} text;

// reader takes SCALE values off the input. After the first that is malformed, failed stays set and the rest are empty.
typedef struct {
	const uint8_t *at;
	size_t left;
	bool failed;
} reader;

// unreadable answers Err(LangError::CouldNotReadInput).
static _Noreturn void unreadable(void) { seal_return(REVERT, (uint8_t[]){1, 1}, 2); }

static const uint8_t *take(reader *r, size_t size) {
	if (r->failed || size > r->left) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *p = r->at;
	r->at += size;
	r->left -= size;
	return p;
}

// take_length reads a compact integer of one, two or four bytes, which is as much as an input can be long. It must be in
// its shortest form.
static size_t take_length(reader *r) {
	static const uint8_t sizes[] = {1, 2, 4};
	static const uint32_t least[] = {0, 1 << 6, 1 << 14};
	if (r->left == 0 || (*r->at & 3) == 3) {
		r->failed = true;
		return 0;
	}
	int mode = *r->at & 3;
	size_t size = sizes[mode];
	const uint8_t *p = take(r, size);
	uint32_t value = 0;
	for (size_t i = 0; p != NULL && i < size; i++) {
		value |= (uint32_t)p[i] << (8 * i);
	}
	value >>= 2;
	r->failed |= value < least[mode];
	return value;
}

static bool is_utf8(const uint8_t *p, size_t size) {
	const uint8_t *end = p + size;
	while (p < end) {
		int c = unicode_from_utf8(p, (int)(end - p), &p);
		if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
			return false;
		}
	}
	return true;
}

static text take_text(reader *r) {
	size_t size = take_length(r);
	const uint8_t *p = take(r, size);
	if (p == NULL || !is_utf8(p, size)) {
		r->failed = true;
		return (text){"", 0};
	}
	return (text){(const char *)p, size};
}

// replace_surrogates turns lone surrogates, which JavaScript strings may hold and UTF-8 may not, into U+FFFD.
static void replace_surrogates(uint8_t *p, size_t size) {
	for (size_t i = 0; i + 2 < size; i++) {
		if (p[i] == 0xed && p[i + 1] >= 0xa0) {
			memcpy(p + i, "\xef\xbf\xbd", 3);
		}
	}
}

// answer ends the call with Ok(Ok(message)) or Ok(Err(message)).
static _Noreturn void answer(bool is_error, text message) {
	if (message.size > OUTPUT_BYTES - HEADER_BYTES) {
		is_error = true;
		message = (text){"RangeError: the result is too long", 34};
	}
	uint8_t *p = output;
	*p++ = 0;
	*p++ = is_error;
	size_t size = message.size;
	if (size < 1 << 6) {
		*p++ = (uint8_t)(size << 2);
	} else if (size < 1 << 14) {
		uint16_t compact = (uint16_t)(size << 2 | 1);
		memcpy(p, &compact, 2);
		p += 2;
	} else {
		uint32_t compact = (uint32_t)(size << 2 | 2);
		memcpy(p, &compact, 4);
		p += 4;
	}
	memcpy(p, message.bytes, size);
	replace_surrogates(p, size);
	seal_return(is_error ? REVERT : 0, output, (uint32_t)(p + size - output));
}

// answer_exception ends the call with what was thrown.
static _Noreturn void answer_exception(JSContext *ctx) {
	text message;
	message.bytes = JS_ToCStringLen(ctx, &message.size, JS_GetException(ctx));
	if (message.bytes == NULL) { // it has no text, or no memory is left for it
		message = (text){"Error", 5};
	}
	answer(true, message);
}

// settled gives what a promise was resolved with, and any other value as it is.
static JSValue settled(JSContext *ctx, JSValue value) {
	int state = (int)JS_PromiseState(ctx, value);
	if (state < 0) { // not a promise
		return value;
	}
	JSValue result = JS_PromiseResult(ctx, value);
	switch (state) {
	case JS_PROMISE_FULFILLED:
		return result;
	case JS_PROMISE_REJECTED:
		return JS_Throw(ctx, result);
	default:
		return JS_ThrowTypeError(ctx, "the promise is never settled");
	}
}

// define_arguments makes the global array scriptArgs. It gives false if memory is short, and the exception is set.
static bool define_arguments(JSContext *ctx, reader *args, size_t count) {
	JSValue array = JS_NewArray(ctx);
	if (JS_IsException(array)) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		text arg = take_text(args);
		JSValue value = JS_NewStringLen(ctx, arg.bytes, arg.size);
		if (JS_IsException(value) || JS_SetPropertyUint32(ctx, array, i, value) < 0) {
			return false;
		}
	}
	return JS_SetPropertyStr(ctx, JS_GetGlobalObject(ctx), "scriptArgs", array) >= 0;
}

// evaluate_text runs a script and what it leaves to do later, and gives its value or an exception.
static JSValue evaluate_text(JSContext *ctx, text code) {
	// QuickJS wants a zero behind the code; the input's own next byte is not one.
	char *source = js_strndup(ctx, code.bytes, code.size);
	if (source == NULL) {
		return JS_EXCEPTION;
	}
	JSValue value = JS_Eval(ctx, source, code.size, "script", JS_EVAL_TYPE_GLOBAL);
	if (JS_IsException(value)) {
		return value;
	}
	JSContext *job;
	int more;
	while ((more = JS_ExecutePendingJob(JS_GetRuntime(ctx), &job)) > 0) {
	}
	return more < 0 ? JS_EXCEPTION : settled(ctx, value);
}

// evaluate runs a script in a new interpreter and ends the call with its value. Nothing is freed: the memory ends with
// the call.
static _Noreturn void evaluate(text code, reader *args, size_t count) {
	JSRuntime *rt = JS_NewRuntime2(&system_memory, NULL);
	JSContext *ctx = JS_NewContext(rt);
	JS_SetMaxStackSize(rt, SCRIPT_STACK_BYTES);
	JS_SetMemoryLimit(rt, SCRIPT_MEMORY_BYTES);
	JSValue value = define_arguments(ctx, args, count) ? evaluate_text(ctx, code) : JS_EXCEPTION;
	text result = {NULL, 0};
	if (!JS_IsException(value)) {
		result.bytes = JS_ToCStringLen(ctx, &result.size, value);
	}
	if (result.bytes == NULL) {
		answer_exception(ctx);
	}
	answer(false, result);
}

// begin reads the call's input. As ink! does, it refuses payment, which no message here takes.
static reader begin(void) {
	uint64_t value[2] = {0};
	uint32_t size = sizeof value;
	seal_value_transferred(value, &size);
	if ((value[0] | value[1]) != 0) {
		__builtin_trap();
	}
	size = sizeof input;
	seal_input(input, &size);
	return (reader){.at = input, .left = size};
}

static bool is(const uint8_t *got, const selector want) { return memcmp(got, want, sizeof(selector)) == 0; }

EXPORT("deploy") void deploy(void) {
	reader r = begin();
	const uint8_t *name = take(&r, sizeof(selector));
	if (name == NULL || !is(name, NEW)) {
		unreadable();
	}
	seal_return(0, (uint8_t[]){0, 0}, 2);
}

EXPORT("call") void call(void) {
	reader r = begin();
	const uint8_t *name = take(&r, sizeof(selector));
	if (name == NULL || !(is(name, EVAL) || is(name, RUN))) {
		unreadable();
	}
	text code = take_text(&r);
	size_t count = is(name, RUN) ? take_length(&r) : 0;
	// All arguments are read once here, so that none that is malformed reaches a script.
	reader rest = r;
	for (size_t i = 0; i < count && !rest.failed; i++) {
		take_text(&rest);
	}
	if (rest.failed) {
		unreadable();
	}
	evaluate(code, &r, count);
}
