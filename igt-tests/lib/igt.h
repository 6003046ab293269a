/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
/*
 * Debian ships the shared library of intel-gpu-tools without its headers. This
 * one declares what our tests use of libigt 1.27.1. Names, signatures and the
 * sigsetjmp() protocol are the library's; nothing here may be more than what
 * the real igt.h offers, so that the tests also build inside an IGT tree.
 */
#ifndef IGT_H
#define IGT_H

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

#include <xf86drm.h>

#ifndef IGT_LOG_DOMAIN
#define IGT_LOG_DOMAIN		NULL
#endif

#ifndef __noreturn
#define __noreturn		__attribute__((noreturn))
#endif
#ifndef __maybe_unused
#define __maybe_unused		__attribute__((unused))
#endif

/* Exit statuses of a test program. */
#define IGT_EXIT_SUCCESS	0
#define IGT_EXIT_SKIP		77
#define IGT_EXIT_INVALID	79
#define IGT_EXIT_FAILURE	98
#define IGT_EXIT_ABORT		112

/* What a handler of extra options returns. */
#define IGT_OPT_HANDLER_SUCCESS	0
#define IGT_OPT_HANDLER_ERROR	-2

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define ALIGN(v, a)		(((v) + (typeof(v))(a) - 1) & ~((typeof(v))(a) - 1))
#define IS_ALIGNED(v, a)	(!((v) & ((typeof(v))(a) - 1)))

#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile typeof(x) *)&(x) = (v))

#define MSEC_PER_SEC		1000ul
#define USEC_PER_MSEC		1000ul
#define NSEC_PER_USEC		1000ul
#define USEC_PER_SEC		(USEC_PER_MSEC * MSEC_PER_SEC)
#define NSEC_PER_MSEC		(NSEC_PER_USEC * USEC_PER_MSEC)
#define NSEC_PER_SEC		(NSEC_PER_USEC * USEC_PER_SEC)

#define igt_tokencat_(a, b)	a##b
#define igt_tokencat(a, b)	igt_tokencat_(a, b)
#define igt_unique(prefix)	igt_tokencat(igt_tokencat(igt_##prefix, _at_line_), __LINE__)

/*
 * Program, subtests and fixtures. Each block is a loop that runs at most once:
 * the library says whether to enter it, a skip or a failure inside comes back
 * through the jump buffer, and falling off the end means success.
 */
typedef int (*igt_opt_handler_t)(int opt, int opt_index, void *data);

extern jmp_buf igt_subtest_jmpbuf;
extern jmp_buf igt_dynamic_jmpbuf;
extern const char *__igt_test_description __attribute__((weak));

int igt_subtest_init_parse_opts(int *argc, char **argv, const char *short_opts,
				const struct option *long_opts, const char *help,
				igt_opt_handler_t handler, void *data);
void igt_simple_init_parse_opts(int *argc, char **argv, const char *short_opts,
				const struct option *long_opts, const char *help,
				igt_opt_handler_t handler, void *data);
bool __igt_fixture(void);
void __igt_fixture_complete(void);
bool __igt_run_subtest(const char *name, const char *file, const int line);
bool __igt_enter_dynamic_container(void);
bool __igt_run_dynamic_subtest(const char *name);
void __igt_subtest_group_save(int *skips, int *describe);
void __igt_subtest_group_restore(int skips, int describe);
const char *igt_test_name(void);
const char *igt_subtest_name(void);
bool igt_only_list_subtests(void);
void igt_success(void);
__noreturn void igt_fail(int exitcode);
__noreturn void igt_exit(void);
__attribute__((format(printf, 1, 2))) void igt_describe_f(const char *format, ...);

#define IGT_TEST_DESCRIPTION(text)	const char *__igt_test_description = text
#define igt_describe(text)		igt_describe_f("%s", text)

#define igt_program_(init, ...) \
	static void igt_program_body(void); \
	int main(int argc, char **argv) \
	{ \
		init(&argc, argv, __VA_ARGS__); \
		igt_program_body(); \
		igt_exit(); \
	} \
	static void igt_program_body(void)

#define igt_main_args(...)	igt_program_(igt_subtest_init_parse_opts, __VA_ARGS__)
#define igt_main		igt_main_args(NULL, NULL, NULL, NULL, NULL)
#define igt_simple_main_args(...) igt_program_(igt_simple_init_parse_opts, __VA_ARGS__)
#define igt_simple_main		igt_simple_main_args(NULL, NULL, NULL, NULL, NULL)

/* volatile: written after sigsetjmp() and read after the jump back. */
#define igt_fixture \
	for (volatile bool igt_unique(first) = true; \
	     igt_unique(first) && __igt_fixture() && !sigsetjmp(igt_subtest_jmpbuf, 1); \
	     igt_unique(first) = false, __igt_fixture_complete())

#define igt_block_(enter, jmpbuf) \
	for (; (enter) && !sigsetjmp(jmpbuf, 1); igt_success())
#define igt_block_f_(name, enter, jmpbuf, ...) \
	for (char name[256]; \
	     snprintf(name, sizeof(name), __VA_ARGS__), (enter) && !sigsetjmp(jmpbuf, 1); \
	     igt_success())

#define igt_enter_(name)	__igt_run_subtest(name, __FILE__, __LINE__)

#define igt_subtest(name)	igt_block_(igt_enter_(name), igt_subtest_jmpbuf)
#define igt_subtest_f(...) \
	igt_block_f_(igt_unique(name), igt_enter_(igt_unique(name)), igt_subtest_jmpbuf, \
		     __VA_ARGS__)
#define igt_subtest_with_dynamic(name) \
	igt_block_(igt_enter_(name) && __igt_enter_dynamic_container(), igt_subtest_jmpbuf)
#define igt_subtest_with_dynamic_f(...) \
	igt_block_f_(igt_unique(name), \
		     igt_enter_(igt_unique(name)) && __igt_enter_dynamic_container(), \
		     igt_subtest_jmpbuf, __VA_ARGS__)
#define igt_dynamic(name)	igt_block_(__igt_run_dynamic_subtest(name), igt_dynamic_jmpbuf)
#define igt_dynamic_f(...) \
	igt_block_f_(igt_unique(name), __igt_run_dynamic_subtest(igt_unique(name)), \
		     igt_dynamic_jmpbuf, __VA_ARGS__)

#define igt_subtest_group \
	for (int igt_unique(first) = 1, igt_unique(skips) = 0, igt_unique(describe) = 0; \
	     igt_unique(first) && \
	     (__igt_subtest_group_save(&igt_unique(skips), &igt_unique(describe)), 1); \
	     igt_unique(first) = 0, \
	     __igt_subtest_group_restore(igt_unique(skips), igt_unique(describe)))

/*
 * Verdicts.
 */
__noreturn __attribute__((format(printf, 1, 2))) void igt_skip(const char *format, ...);
__noreturn __attribute__((format(printf, 5, 6)))
void __igt_skip_check(const char *file, const int line, const char *func, const char *check,
		      const char *format, ...);
__noreturn __attribute__((format(printf, 6, 7)))
void __igt_fail_assert(const char *domain, const char *file, const int line, const char *func,
		       const char *assertion, const char *format, ...);
__noreturn __attribute__((format(printf, 6, 7)))
void __igt_abort(const char *domain, const char *file, const int line, const char *func,
		 const char *expression, const char *format, ...);

#define igt_fail_(text, ...) \
	__igt_fail_assert(IGT_LOG_DOMAIN, __FILE__, __LINE__, __func__, text, __VA_ARGS__)

#define igt_assert_f(expr, ...) \
	do { if (!(expr)) igt_fail_(#expr, __VA_ARGS__); } while (0)
#define igt_assert(expr) \
	do { if (!(expr)) igt_fail_(#expr, NULL); } while (0)
#define igt_fail_on(expr)		igt_assert(!(expr))
#define igt_fail_on_f(expr, ...)	igt_assert_f(!(expr), __VA_ARGS__)
#define igt_assert_fd(fd)		igt_assert_f((fd) >= 0, #fd " is no open file\n")

#define igt_compare_(type, form, n1, cmp, n2) \
	do { \
		type first__ = (n1), second__ = (n2); \
		if (!(first__ cmp second__)) \
			igt_fail_(#n1 " " #cmp " " #n2, \
				  "found " form ", compared with " form "\n", \
				  first__, second__); \
	} while (0)

#define igt_assert_eq(n1, n2)		igt_compare_(int, "%d", n1, ==, n2)
#define igt_assert_neq(n1, n2)		igt_compare_(int, "%d", n1, !=, n2)
#define igt_assert_lt(n1, n2)		igt_compare_(int, "%d", n1, <, n2)
#define igt_assert_lte(n1, n2)		igt_compare_(int, "%d", n1, <=, n2)
#define igt_assert_eq_u32(n1, n2)	igt_compare_(uint32_t, "%#" PRIx32, n1, ==, n2)
#define igt_assert_neq_u32(n1, n2)	igt_compare_(uint32_t, "%#" PRIx32, n1, !=, n2)
#define igt_assert_lt_u32(n1, n2)	igt_compare_(uint32_t, "%#" PRIx32, n1, <, n2)
#define igt_assert_lte_u32(n1, n2)	igt_compare_(uint32_t, "%#" PRIx32, n1, <=, n2)
#define igt_assert_eq_s64(n1, n2)	igt_compare_(int64_t, "%" PRId64, n1, ==, n2)
#define igt_assert_lt_s64(n1, n2)	igt_compare_(int64_t, "%" PRId64, n1, <, n2)
#define igt_assert_lte_s64(n1, n2)	igt_compare_(int64_t, "%" PRId64, n1, <=, n2)
#define igt_assert_eq_u64(n1, n2)	igt_compare_(uint64_t, "%#" PRIx64, n1, ==, n2)
#define igt_assert_neq_u64(n1, n2)	igt_compare_(uint64_t, "%#" PRIx64, n1, !=, n2)
#define igt_assert_lt_u64(n1, n2)	igt_compare_(uint64_t, "%#" PRIx64, n1, <, n2)
#define igt_assert_lte_u64(n1, n2)	igt_compare_(uint64_t, "%#" PRIx64, n1, <=, n2)
#define igt_assert_eq_double(n1, n2)	igt_compare_(double, "%g", n1, ==, n2)

#define igt_skip_(text, ...) \
	__igt_skip_check(__FILE__, __LINE__, __func__, text, __VA_ARGS__)
#define igt_require_f(expr, ...) \
	do { \
		if (!(expr)) \
			igt_skip_(#expr, __VA_ARGS__); \
		igt_debug("Met: %s\n", #expr); \
	} while (0)
#define igt_require(expr)		igt_require_f(expr, NULL)
#define igt_require_fd(fd)		igt_require_f((fd) >= 0, #fd " is no open file\n")
#define igt_skip_on(expr)		igt_require_f(!(expr), NULL)
#define igt_skip_on_f(expr, ...)	igt_require_f(!(expr), __VA_ARGS__)
#define igt_abort_on_f(expr, ...) \
	do { \
		if (expr) \
			__igt_abort(IGT_LOG_DOMAIN, __FILE__, __LINE__, __func__, #expr, \
				    __VA_ARGS__); \
	} while (0)

/*
 * Messages. The kernel log takes a level in front: KMSG_INFO "text".
 */
enum igt_log_level {
	IGT_LOG_DEBUG,
	IGT_LOG_INFO,
	IGT_LOG_WARN,
	IGT_LOG_CRITICAL,
	IGT_LOG_NONE,
};

extern enum igt_log_level igt_log_level;

__attribute__((format(printf, 3, 4)))
void igt_log(const char *domain, enum igt_log_level level, const char *format, ...);
__attribute__((format(printf, 1, 2))) void igt_kmsg(const char *format, ...);

#define igt_debug(...)		igt_log(IGT_LOG_DOMAIN, IGT_LOG_DEBUG, __VA_ARGS__)
#define igt_info(...)		igt_log(IGT_LOG_DOMAIN, IGT_LOG_INFO, __VA_ARGS__)
#define igt_warn(...)		igt_log(IGT_LOG_DOMAIN, IGT_LOG_WARN, __VA_ARGS__)
#define igt_critical(...)	igt_log(IGT_LOG_DOMAIN, IGT_LOG_CRITICAL, __VA_ARGS__)

#define KMSG_WARNING		"<4>[IGT] "
#define KMSG_INFO		"<6>[IGT] "

/*
 * Other processes: children count for the verdict, helpers do not.
 */
struct igt_helper_process {
	bool running;
	bool use_SIGKILL;
	pid_t pid;
	int id;
};

typedef void (*igt_exit_handler_t)(int sig);

bool __igt_fork(void);
int __igt_waitchildren(void);
void igt_waitchildren(void);
void igt_waitchildren_timeout(int seconds, const char *reason);
void igt_kill_children(int signal);
bool __igt_fork_helper(struct igt_helper_process *proc);
int igt_wait_helper(struct igt_helper_process *proc);
void igt_stop_helper(struct igt_helper_process *proc);
void igt_install_exit_handler(igt_exit_handler_t fn);

#define igt_fork(child, count) \
	for (int child = 0; child < (count); child++) \
		for (; __igt_fork(); exit(0))
#define igt_fork_helper(proc)	for (; __igt_fork_helper(proc); exit(0))

/*
 * Time.
 */
void igt_set_timeout(unsigned int seconds, const char *op);
void igt_reset_timeout(void);
uint64_t igt_nsec_elapsed(struct timespec *start);

/*
 * ioctls that every DRM driver has.
 */
extern int (*igt_ioctl)(int fd, unsigned long request, void *arg);

#define do_ioctl(fd, request, arg) \
	igt_assert_f(igt_ioctl(fd, request, arg) == 0, "%s failed: %m\n", #request)
#define do_ioctl_err(fd, request, arg, err) \
	do { \
		igt_assert_eq(igt_ioctl(fd, request, arg), -1); \
		igt_assert_eq(errno, err); \
		errno = 0; \
	} while (0)

void gem_close(int fd, uint32_t handle);
int prime_handle_to_fd(int fd, uint32_t handle);
int prime_handle_to_fd_for_mmap(int fd, uint32_t handle);
uint32_t prime_fd_to_handle(int fd, int dma_buf_fd);
off_t prime_get_size(int dma_buf_fd);
void prime_sync_start(int dma_buf_fd, bool write);
void prime_sync_end(int dma_buf_fd, bool write);

static inline uint64_t to_user_pointer(const void *ptr)
{
	return (uintptr_t)ptr;
}

static inline void *from_user_pointer(uint64_t value)
{
	return (void *)(uintptr_t)value;
}

#endif /* IGT_H */
