// The system below QuickJS and the C library: memory, and the block's time as the clock. There are no files, no
// environment, no randomness and no time zone. Parts of the C library that would import WASI are defined here instead, so
// that the contract imports nothing but its engine's functions.

#include "system.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

__attribute__((import_module("seal0"), import_name("now"))) void seal_now(void *buffer, uint32_t *size);

// gettimeofday gives the time of the block. It is also what QuickJS seeds Math.random with, which is thereby the same on
// every machine, and known to all.
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
	(void)zone;
	uint64_t millis = 0;
	uint32_t size = sizeof millis;
	seal_now(&millis, &size);
	now->tv_sec = (time_t)(millis / 1000);
	now->tv_usec = (suseconds_t)(millis % 1000 * 1000);
	return 0;
}

// localtime_r is asked for the offset of local time only; local time is UTC.
struct tm *localtime_r(const time_t *restrict seconds, struct tm *restrict local) {
	(void)seconds;
	*local = (struct tm){0};
	return local;
}

// The C library's streams end in these three calls. There is no file that they could act on, and no script can get here.
int close(int file) {
	(void)file;
	return -1;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
	(void)file, (void)parts, (void)count;
	return -1;
}

off_t __lseek(int file, off_t offset, int from) {
	(void)file, (void)offset, (void)from;
	return -1;
}

static void *allocate(JSMallocState *s, size_t size) {
	if ((uint64_t)s->malloc_size + size > s->malloc_limit) {
		return NULL;
	}
	void *p = malloc(size);
	if (p != NULL) {
		s->malloc_count++;
		s->malloc_size += malloc_usable_size(p);
	}
	return p;
}

static void release(JSMallocState *s, void *p) {
	if (p == NULL) {
		return;
	}
	s->malloc_count--;
	s->malloc_size -= malloc_usable_size(p);
	free(p);
}

static void *reallocate(JSMallocState *s, void *p, size_t size) {
	if (p == NULL) {
		return allocate(s, size);
	}
	if (size == 0) {
		release(s, p);
		return NULL;
	}
	size_t before = malloc_usable_size(p);
	if ((uint64_t)s->malloc_size - before + size > s->malloc_limit) {
		return NULL;
	}
	void *moved = realloc(p, size);
	if (moved != NULL) {
		s->malloc_size += malloc_usable_size(moved) - before;
	}
	return moved;
}

static size_t usable_size(const void *p) { return malloc_usable_size((void *)p); }

const JSMallocFunctions system_memory = {allocate, release, reallocate, usable_size};
