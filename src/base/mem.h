/*
 * malloc that does not fail: a process that is out of memory logs nothing useful and is restarted by its supervisor,
 * so these end it at once with one line on stderr. Bounds elsewhere keep peers from getting us there.
 */
#ifndef SLUICE_BASE_MEM_H
#define SLUICE_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *old, size_t size) __attribute__((returns_nonnull));

#define NEW(type) ((type *)mem_zalloc(sizeof(type)))

#endif
