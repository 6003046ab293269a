// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_kmod.h"
#include "igt_userptr.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A module cannot be unloaded while anything of it is alive, whatever it is "
		     "and however little, and can be as soon as that is gone.");

#define SIZE			(64u << 10)
#define PAGE			4096u
#define HEAP			"/dev/dma_heap/vexport"
#define VIMPORT_DRIVER		"/sys/bus/platform/drivers/vimport"

/* How long workers may take to drop what the last client has left to them. */
#define IDLE_NS			(30 * NSEC_PER_SEC)

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

static void load(const char *module)
{
	if (!igt_kmod_is_loaded(module))
		igt_kmod_load(module, NULL);
}

/* The other tests need both. */
static void load_again(int sig)
{
	load("vexport");
	load("vimport");
}

static void expect_busy(const char *module)
{
	int ret = unload(module);

	if (!ret)
		load_again(0);
	igt_assert_f(ret == -EWOULDBLOCK, "Unloading %s, which is in use, gave \"%s\"\n", module,
		     ret ? strerror(-ret) : "success");
}

static void expect_idle(const char *module)
{
	struct timespec since = {};
	int ret;

	while ((ret = unload(module)) == -EWOULDBLOCK) {
		igt_assert_f(igt_nsec_elapsed(&since) < IDLE_NS, "%s is idle and stays busy\n",
			     module);
		usleep(1000);
	}
	igt_assert_eq(ret, 0);
	igt_assert(!igt_kmod_is_loaded(module));
	load(module);
	igt_assert(igt_kmod_is_loaded(module));
}

static int make_dmabuf(void)
{
	struct vexport_bo bo;
	int fd = vexport_open(), dmabuf;

	vexport_bo_init(&bo, fd, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_GEM_MOVING);
	dmabuf = dup(bo.dmabuf);
	vexport_bo_fini(&bo);
	close(fd);
	return dmabuf;
}

/* Each leaves nothing of vexport's but the one thing that it is named after. */

static void exporter_file(void)
{
	int fd = vexport_open();

	vexport_gem_create(fd, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	expect_busy("vexport");
	close(fd);
}

static void exporter_heap(void)
{
	int fd = open(HEAP, O_RDONLY | O_CLOEXEC);

	igt_assert_fd(fd);
	expect_busy("vexport");
	close(fd);
}

static void exporter_dmabuf(void)
{
	int dmabuf = make_dmabuf();

	expect_busy("vexport");
	close(dmabuf);
}

static void expect_mapping_holds(uint64_t *map)
{
	expect_busy("vexport");
	for (unsigned int i = 0; i < SIZE / sizeof(*map); i++)
		WRITE_ONCE(map[i], ~i);
	for (unsigned int i = 0; i < SIZE / sizeof(*map); i++)
		igt_assert_eq_u64(READ_ONCE(map[i]), ~i);
	munmap(map, SIZE);
}

static void exporter_dmabuf_mmap(void)
{
	int dmabuf = make_dmabuf();
	uint64_t *map = vexport_dmabuf_mmap(dmabuf, SIZE);

	close(dmabuf);
	expect_mapping_holds(map);
}

static void exporter_mmap(void)
{
	int fd = vexport_open();
	uint32_t handle = vexport_gem_create(fd, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	uint64_t *map = vexport_gem_mmap(fd, handle, SIZE);

	close(fd);
	expect_mapping_holds(map);
}

static void exporter_attachment(void)
{
	int vgem = vshare_open_vgem(), dmabuf = make_dmabuf();

	prime_fd_to_handle(vgem, dmabuf);
	close(dmabuf);
	expect_busy("vexport");
	close(vgem);
}

static void exporter_import(void)
{
	struct vimport_job job = {};
	struct vimport_gpu gpu;
	int dmabuf = make_dmabuf();

	vimport_gpu_init(&gpu, 0, dmabuf, SIZE, 0);
	close(dmabuf);
	vimport_job_fill(&job, gpu.va, SIZE, 1);
	vimport_run(gpu.fd, gpu.vm, &job);
	expect_busy("vexport");
	expect_busy("vimport");
	vimport_gpu_fini(&gpu);
}

static void exporter_storm(void)
{
	struct drm_vexport_storm args = {
		.fd_count = 1, .kinds = DRM_VEXPORT_STORM_RELOCATE, .rate = 100,
	};
	int fd = vexport_open(), dmabuf = make_dmabuf();

	args.fds = to_user_pointer(&dmabuf);
	do_ioctl(fd, DRM_IOCTL_VEXPORT_STORM, &args);
	close(dmabuf);
	close(fd);
	expect_busy("vexport");
	close(args.storm_fd);
}

/* The fence of a move, of a buffer that is no more. */
static void exporter_fence(void)
{
	struct drm_vexport_bo_move move = {
		.flags = DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC |
			 DRM_VEXPORT_MOVE_OUT_FENCE,
		.fd = make_dmabuf(),
	};
	int fd = vexport_open();

	igt_assert_eq(__vexport_move(fd, &move), 0);
	close(move.fd);
	close(fd);
	expect_busy("vexport");
	close(move.out_fence);
}

/* A job of another GPU's keeps the buffer from being freed, and nobody has that any more. */
static void exporter_busy_buffer(void)
{
	int dmabuf = make_dmabuf();
	struct gate gate;

	gate_close(&gate, 0, dmabuf, SIZE, GATE_LONG, 0);
	close(dmabuf);
	igt_assert(gate_closed(&gate));
	expect_busy("vexport");
	gate_open(&gate);
}

static void importer_file(void)
{
	int fd = vimport_open(0);

	expect_busy("vimport");
	close(fd);
}

/* The file is closed, the job is not told: it has to come to its end. */
static void importer_job(void)
{
	int dmabuf = make_dmabuf(), fd = vimport_open(0);
	uint32_t vm = vimport_vm_create(fd);
	uint32_t handle = vimport_import(fd, dmabuf, 0);
	struct vimport_job job = {};

	vimport_vm_map(fd, vm, handle, 0, 1 << 20, SIZE, 0);
	vimport_job_delay(&job, 400 * NSEC_PER_MSEC);
	vimport_job_fill(&job, 1 << 20, SIZE, 7);
	igt_assert_eq(__vimport_exec(fd, vm, &job, 0), 0);
	expect_busy("vimport");
	close(dmabuf);
	close(fd);
}

/* A job that would never end: it has to when its file is closed, and not a moment later. */
static void importer_faulting_job(void)
{
	int dmabuf = make_dmabuf(), exporter = vexport_open();
	struct vimport_job job = {};
	struct vimport_lr lr;

	vimport_lr_init(&lr, exporter, 0, dmabuf, SIZE, 0);
	vimport_job_fill(&job, lr.gpu.va, SIZE, 7);
	vimport_job_fill(&job, vimport_lr_word_va(&lr, 0), sizeof(uint64_t), 1);
	vimport_job_wait(&job, vimport_lr_word_va(&lr, 1), 1);
	vimport_lr_submit(&lr, &job);
	vimport_lr_wait_word(&lr, 0, 1);
	expect_busy("vimport");
	expect_busy("vexport");
	vexport_bo_fini(&lr.words);
	close(lr.gpu.fd);
	close(dmabuf);
	close(exporter);
}

static int watch_page(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = to_user_pointer(page), .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	igt_require_f(fd >= 0, "Needs userfaultfd\n");
	do_ioctl(fd, UFFDIO_API, &api);
	do_ioctl(fd, UFFDIO_REGISTER, &reg);
	return fd;
}

/*
 * A worker is in the midst of a fault that userspace does not serve. There is no file any
 * more, nor a dma_fence: the address space, which is to die, is all that holds the modules.
 */
static void importer_parked_job(void)
{
	void *page = userptr_alloc(PAGE);
	int uffd = watch_page(page), fd = vimport_open(0);
	uint32_t vm = vimport_lr_vm_create(fd), handle = vimport_userptr(fd, page, PAGE, 0);
	struct uffdio_zeropage zero = {
		.range = { .start = to_user_pointer(page), .len = PAGE },
	};
	struct vimport_job job = {};
	struct uffd_msg msg;

	vimport_vm_map(fd, vm, handle, 0, 1 << 20, PAGE, 0);
	vimport_job_fill(&job, 1 << 20, PAGE, 7);
	igt_assert_eq(__vimport_lr_exec(fd, vm, &job, 0, 0), 0);
	igt_assert_eq(read(uffd, &msg, sizeof(msg)), sizeof(msg));
	close(fd);
	for (int i = 0; i < 100; i++) {
		expect_busy("vimport");
		usleep(1000);
	}
	do_ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
	expect_idle("vimport");
	igt_assert(userptr_holds(page, PAGE, 0));
	close(uffd);
	munmap(page, PAGE);
}

static void importer_fence(void)
{
	struct gate gate;
	int fence;

	gate_close(&gate, 0, -1, 0, 1, 0);
	fence = dup(gate.fence);
	igt_assert_fd(fence);
	gate_open(&gate);
	expect_busy("vimport");
	close(fence);
}

/* There is no such file, so a GPU cannot be taken from its driver while it works. */
static void importer_unbind(void)
{
	struct gate gate;
	int file;

	gate_close(&gate, 0, -1, 0, GATE_LONG, 0);
	igt_assert(!access(VIMPORT_DRIVER "/vimport0", F_OK));
	file = open(VIMPORT_DRIVER "/unbind", O_WRONLY | O_CLOEXEC);
	igt_assert_eq(file, -1);
	igt_assert_eq(errno, ENOENT);
	expect_busy("vimport");
	gate_open(&gate);
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} subtests[] = {
	{ "vexport-file", "An open file holds vexport.", exporter_file },
	{ "vexport-heap", "The heap's open file holds vexport.", exporter_heap },
	{ "vexport-dmabuf", "A dma-buf alone holds vexport.", exporter_dmabuf },
	{ "vexport-dmabuf-mmap", "A mapping of a dma-buf alone holds vexport, and its data.",
	  exporter_dmabuf_mmap },
	{ "vexport-mmap", "A mapping of a buffer alone holds vexport, and its data.",
	  exporter_mmap },
	{ "vexport-attachment", "An import of vgem's alone holds vexport.", exporter_attachment },
	{ "vexport-import", "An import of a GPU's alone holds both modules.", exporter_import },
	{ "vexport-storm", "A storm alone holds vexport.", exporter_storm },
	{ "vexport-fence", "The fence of a move alone holds vexport.", exporter_fence },
	{ "vexport-busy-buffer", "A buffer that a job still uses holds vexport.",
	  exporter_busy_buffer },
	{ "vimport-file", "An open file holds vimport.", importer_file },
	{ "vimport-job", "A job that runs holds vimport, but for no longer than it runs.",
	  importer_job },
	{ "vimport-faulting-job", "A job that waits for ever holds vimport until its file is "
	  "closed, and no longer.", importer_faulting_job },
	{ "vimport-parked-job", "A job whose fault nobody serves holds vimport until somebody "
	  "does.", importer_parked_job },
	{ "vimport-fence", "The fence of a job alone holds vimport.", importer_fence },
	{ "vimport-unbind", "A GPU that works cannot be taken from its driver.", importer_unbind },
};

igt_main
{
	igt_fixture {
		igt_require_f(igt_kmod_is_loaded("vexport") && igt_kmod_is_loaded("vimport"),
			      "Needs both modules, as modules\n");
		igt_install_exit_handler(load_again);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(subtests); i++) {
		igt_describe(subtests[i].describe);
		igt_subtest(subtests[i].name) {
			igt_set_timeout(VSHARE_TIMEOUT_S, "subtest");
			load_again(0);
			subtests[i].run();
			expect_idle("vimport");
			expect_idle("vexport");
			igt_reset_timeout();
		}
	}
}
