// What an operating system would give QuickJS, as far as a contract has it.

#ifndef SYSTEM_H
#define SYSTEM_H

#include "quickjs.h"

// system_memory is the C library's allocator. It counts what is in use, so that QuickJS knows when to collect garbage, and
// refuses what exceeds the runtime's memory limit.
extern const JSMallocFunctions system_memory;

#endif
