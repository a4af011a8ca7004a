/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A small pool of threads: what a program that has its own would bring. */

#ifndef THREADS_H
#define THREADS_H

#include <stdbool.h>
#include <stddef.h>

typedef void (*job)(void *argument, size_t index);

typedef struct threads threads;

/* `count` threads, the caller of threads_run included; NULL if there are no
   more to be had. */
threads *threads_create(size_t count);
void threads_destroy(threads *pool);

/* Equivalent to: for (size_t i = 0; i < count; ++i) run(argument, i);
   One caller at a time. */
void threads_run(threads *pool, size_t count, job run, void *argument);

#endif
