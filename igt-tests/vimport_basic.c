// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "igt.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The GPU's address spaces, imports and mappings: what is asked for is had, "
		     "and every call that the documentation forbids is refused and changes "
		     "nothing.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull
#define VA			(1ull << 20)

static void info(struct vshare_session *s)
{
	struct drm_vimport_info now;

	for (int i = 0; i < s->gpus; i++) {
		vimport_get_info(s->gpu[i], &now);
		igt_assert_eq(now.gpu, i);
		igt_assert_lte(32, now.va_bits);
		igt_assert_lte(now.va_bits, 64);
		igt_assert_lte(4, now.max_cmds);
		igt_assert_lt_u64(0, now.max_job_ns);
		igt_assert_lte_u64(now.max_job_ns, 2 * NSEC_PER_SEC);
		igt_assert_lte_u64(SIZE, now.max_job_bytes);
		igt_assert_eq(now.pad2, 0);
	}
}

static void info_bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = 1; bad; bad <<= 1) {
		struct drm_vimport_info args = { .flags = bad };

		vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_INFO, &args, EINVAL);
	}
}

static void vm_create_destroy(struct vshare_session *s)
{
	uint32_t first = vimport_vm_create(s->gpu[0]), second = vimport_vm_create(s->gpu[0]);
	struct drm_vimport_info now;

	igt_assert_neq_u32(first, second);
	vimport_get_info(s->gpu[0], &now);
	igt_assert_eq(now.vms, s->start.gpu[0].vms + 2);
	vimport_vm_destroy(s->gpu[0], first);
	vimport_vm_destroy(s->gpu[0], second);
}

static void vm_create_bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = DRM_VIMPORT_VM_CREATE_FAULTING << 1; bad; bad <<= 1) {
		struct drm_vimport_vm_create args = { .flags = bad };

		vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_CREATE, &args, EINVAL);
	}
}

static void vm_create_limit(struct vshare_session *s)
{
	struct drm_vimport_vm_create args = {};
	unsigned int count = 0;

	while (!__vimport_vm_create(s->gpu[0], &args)) {
		args = (struct drm_vimport_vm_create) {};
		igt_assert_lt(count++, 1 << 16);
	}
	igt_assert_lt(1, count);
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_CREATE, &args, ENOSPC);
	/* The limit is this file's, not the device's. */
	if (s->gpus > 1)
		vimport_vm_create(s->gpu[1]);
}

static void vm_destroy_bad_id(struct vshare_session *s)
{
	struct drm_vimport_vm_destroy args = {};
	uint32_t vm = vimport_vm_create(s->gpu[0]);
	const uint32_t bad[] = { 0, vm + 1, UINT32_MAX };
	int other = vimport_open(0);

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		args.vm_id = bad[i];
		vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_DESTROY, &args, ENOENT);
	}
	args.vm_id = vm;
	vshare_refused(s, other, DRM_IOCTL_VIMPORT_VM_DESTROY, &args, ENOENT);
	vimport_vm_destroy(s->gpu[0], vm);
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_DESTROY, &args, ENOENT);
	close(other);
}

static void vm_destroy_bad_pad(struct vshare_session *s)
{
	struct drm_vimport_vm_destroy args = { .vm_id = vimport_vm_create(s->gpu[0]), .pad = 1 };

	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_DESTROY, &args, EINVAL);
	vimport_vm_destroy(s->gpu[0], args.vm_id);
}

static void import_prime(struct vshare_session *s)
{
	struct drm_vimport_info now;
	struct vexport_bo bo;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	handle = prime_fd_to_handle(s->gpu[0], bo.dmabuf);
	igt_assert_eq_u32(prime_fd_to_handle(s->gpu[0], bo.dmabuf), handle);
	vimport_get_info(s->gpu[0], &now);
	igt_assert_eq(now.imports, s->start.gpu[0].imports + 1);
	gem_close(s->gpu[0], handle);
	vexport_bo_fini(&bo);
}

static void import_flavours(struct vshare_session *s)
{
	struct drm_vimport_import args = {};
	struct drm_vexport_bo_query query;
	struct drm_vimport_info now;
	uint32_t handles[4];
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++) {
		args.fd = bo.dmabuf;
		args.flags = i % 2 ? DRM_VIMPORT_IMPORT_NO_P2P : 0;
		igt_assert_eq(__vimport_import(s->gpu[0], &args), 0);
		igt_assert_eq_u64(args.size, SIZE);
		handles[i] = args.handle;
		for (unsigned int j = 0; j < i; j++)
			igt_assert_neq_u32(handles[i], handles[j]);
	}
	vimport_get_info(s->gpu[0], &now);
	igt_assert_eq(now.imports, s->start.gpu[0].imports + ARRAY_SIZE(handles));
	/* Dynamic importers hold nothing until they map. */
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq(query.attachments, ARRAY_SIZE(handles));
	igt_assert_eq(query.pins | query.maps, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++)
		gem_close(s->gpu[0], handles[i]);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq(query.attachments, 0);
	vexport_bo_fini(&bo);
}

static void import_foreign(struct vshare_session *s)
{
	int dmabuf = vshare_open_foreign_dmabuf(SIZE);
	struct vimport_job job = {};
	uint64_t *map = vexport_dmabuf_mmap(dmabuf, SIZE);
	struct vimport_gpu gpu;

	vimport_gpu_init(&gpu, 0, dmabuf, SIZE, 0);
	vimport_job_tag(&job, gpu.va, SIZE, 1ull << 48);
	vimport_run(gpu.fd, gpu.vm, &job);
	prime_sync_start(dmabuf, false);
	for (uint64_t i = 0; i < SIZE / sizeof(*map); i++)
		igt_assert_eq_u64(map[i], 1ull << 48 | i);
	prime_sync_end(dmabuf, false);
	vimport_gpu_fini(&gpu);
	munmap(map, SIZE);
	close(dmabuf);
}

static void import_bad_fd(struct vshare_session *s)
{
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct {
		int fd, err;
	} bad[] = {
		{ -1, EBADF }, { INT32_MAX, EBADF }, { file, EINVAL }, { s->gpu[0], EINVAL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_vimport_import args = { .fd = bad[i].fd };
		struct drm_prime_handle prime = { .fd = bad[i].fd };

		vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_IMPORT, &args, bad[i].err);
		vshare_refused(s, s->gpu[0], DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, bad[i].err);
	}
	close(file);
}

static void import_bad_members(struct vshare_session *s)
{
	struct drm_vimport_import args;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (uint32_t bad = DRM_VIMPORT_IMPORT_STATIC << 1; bad; bad <<= 1) {
		args = (struct drm_vimport_import) { .fd = bo.dmabuf, .flags = bad };
		vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_IMPORT, &args, EINVAL);
	}
	args = (struct drm_vimport_import) { .fd = bo.dmabuf, .pad = 1 };
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_IMPORT, &args, EINVAL);
	vexport_bo_fini(&bo);
}

/* What every bind test starts from: an address space and an imported buffer. */
struct bind_setup {
	int fd;
	struct vexport_bo bo;
	uint32_t vm, handle;
};

static struct drm_vimport_vm_bind bind_begin(struct bind_setup *b, struct vshare_session *s)
{
	b->fd = s->gpu[0];
	vexport_bo_init(&b->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	b->vm = vimport_vm_create(b->fd);
	b->handle = vimport_import(b->fd, b->bo.dmabuf, 0);
	return (struct drm_vimport_vm_bind) {
		.vm_id = b->vm,
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.handle = b->handle,
		.va = VA,
		.size = SIZE,
	};
}

static void bind_end(struct bind_setup *b)
{
	vimport_vm_destroy(b->fd, b->vm);
	gem_close(b->fd, b->handle);
	vexport_bo_fini(&b->bo);
}

static void refuse_bind(struct vshare_session *s, struct drm_vimport_vm_bind args, int err)
{
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_BIND, &args, err);
}

static void bind_unbind(struct vshare_session *s)
{
	struct bind_setup b;
	uint64_t top = s->start.gpu[0].va_bits < 64 ? 1ull << s->start.gpu[0].va_bits : 0;

	bind_begin(&b, s);
	vimport_vm_map(b.fd, b.vm, b.handle, 0, VA, SIZE, 0);
	/* Right behind, from the middle, read-only, at either end of the space. */
	vimport_vm_map(b.fd, b.vm, b.handle, SIZE / 2, VA + SIZE, PAGE, 0);
	vimport_vm_map(b.fd, b.vm, b.handle, SIZE - PAGE, VA - PAGE, PAGE,
		       DRM_VIMPORT_VM_BIND_READONLY);
	vimport_vm_map(b.fd, b.vm, b.handle, 0, 0, PAGE, 0);
	vimport_vm_map(b.fd, b.vm, b.handle, 0, top - PAGE, PAGE, 0);
	vimport_vm_unmap(b.fd, b.vm, VA, SIZE);
	vimport_vm_map(b.fd, b.vm, b.handle, 0, VA, SIZE, 0);
	bind_end(&b);
}

static void bind_bad_ids(struct vshare_session *s)
{
	struct bind_setup b;
	struct drm_vimport_vm_bind args = bind_begin(&b, s), bad;
	const uint32_t ids[] = { 0, b.vm + 1, UINT32_MAX };
	const uint32_t handles[] = { 0, b.handle + 1, UINT32_MAX };
	int other = vimport_open(0);

	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++) {
		bad = args;
		bad.vm_id = ids[i];
		refuse_bind(s, bad, ENOENT);
		bad = args;
		bad.handle = handles[i];
		refuse_bind(s, bad, ENOENT);
	}
	bad = args;
	vshare_refused(s, other, DRM_IOCTL_VIMPORT_VM_BIND, &bad, ENOENT);
	/* An address space of its own does not make the handle its own. */
	bad.vm_id = vimport_vm_create(other);
	vshare_refused(s, other, DRM_IOCTL_VIMPORT_VM_BIND, &bad, ENOENT);
	close(other);
	bind_end(&b);
}

static void bind_misaligned(struct vshare_session *s)
{
	static const uint64_t bad[] = { 1, 8, PAGE / 2, PAGE - 1, PAGE + 8 };
	struct bind_setup b;
	struct drm_vimport_vm_bind args = bind_begin(&b, s);

	args.size = PAGE;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_vimport_vm_bind va = args, offset = args, size = args;

		va.va += bad[i];
		refuse_bind(s, va, EINVAL);
		offset.offset = bad[i];
		refuse_bind(s, offset, EINVAL);
		size.size = bad[i];
		refuse_bind(s, size, EINVAL);
	}
	bind_end(&b);
}

static void bind_bad_range(struct vshare_session *s)
{
	struct bind_setup b;
	struct drm_vimport_vm_bind args = bind_begin(&b, s);
	uint64_t top = s->start.gpu[0].va_bits < 64 ? 1ull << s->start.gpu[0].va_bits : 0;
	const struct {
		uint64_t offset, va, size;
	} bad[] = {
		{ 0, VA, 0 },
		{ 0, VA, SIZE + PAGE },
		{ PAGE, VA, SIZE },
		{ SIZE, VA, PAGE },
		{ -PAGE, VA, PAGE },
		{ -PAGE, VA, 2 * PAGE },
		{ 0, VA, -PAGE },
		{ 0, top - PAGE, 2 * PAGE },
		{ 0, top, PAGE },
		{ 0, -PAGE, 2 * PAGE },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!bad[i].va)
			continue;
		args.offset = bad[i].offset;
		args.va = bad[i].va;
		args.size = bad[i].size;
		refuse_bind(s, args, EINVAL);
	}
	bind_end(&b);
}

static void bind_bad_members(struct vshare_session *s)
{
	static const uint32_t ops[] = { 2, 3, 1u << 16, UINT32_MAX };
	struct bind_setup b;
	struct drm_vimport_vm_bind args = bind_begin(&b, s), bad;

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		bad = args;
		bad.op = ops[i];
		refuse_bind(s, bad, EINVAL);
	}
	for (uint32_t flag = DRM_VIMPORT_VM_BIND_ASYNC << 1; flag; flag <<= 1) {
		bad = args;
		bad.flags = flag;
		refuse_bind(s, bad, EINVAL);
	}
	bind_end(&b);
}

static void unbind_bad_members(struct vshare_session *s)
{
	struct bind_setup b;
	struct drm_vimport_vm_bind args = bind_begin(&b, s), bad;

	vimport_vm_map(b.fd, b.vm, b.handle, PAGE, VA, PAGE, DRM_VIMPORT_VM_BIND_READONLY);
	args.op = DRM_VIMPORT_VM_BIND_OP_UNMAP;
	args.size = PAGE;
	/* The handle is still set in args. */
	refuse_bind(s, args, EINVAL);
	args.handle = 0;
	bad = args;
	bad.flags = DRM_VIMPORT_VM_BIND_READONLY;
	refuse_bind(s, bad, EINVAL);
	bad = args;
	bad.offset = PAGE;
	refuse_bind(s, bad, EINVAL);
	bad = args;
	bad.va += 8;
	refuse_bind(s, bad, EINVAL);
	bad = args;
	bad.size = 0;
	refuse_bind(s, bad, EINVAL);
	vimport_vm_unmap(b.fd, b.vm, VA, PAGE);
	bind_end(&b);
}

static void close_while_bound(struct vshare_session *s)
{
	struct vimport_job job = {};
	struct bind_setup b;

	bind_begin(&b, s);
	vimport_vm_map(b.fd, b.vm, b.handle, 0, VA, SIZE, 0);
	gem_close(b.fd, b.handle);
	vimport_job_fill(&job, VA, SIZE, 0x1234);
	vimport_run(b.fd, b.vm, &job);
	igt_assert_eq_u64(b.bo.map[0], 0x1234);
	igt_assert_eq_u64(b.bo.map[SIZE / sizeof(*b.bo.map) - 1], 0x1234);
	vimport_vm_destroy(b.fd, b.vm);
	vexport_bo_fini(&b.bo);
}

static void misbehave_bad_members(struct vshare_session *s)
{
	struct drm_vimport_misbehave unknown = { .bugs = 1u << 31 };
	struct drm_vimport_misbehave padded = { .pad = 1 };

	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_MISBEHAVE, &unknown, EINVAL);
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_MISBEHAVE, &padded, EINVAL);
}

static void misbehave_needs_parameter(struct vshare_session *s)
{
	struct drm_vimport_misbehave args = { .bugs = DRM_VIMPORT_BUG_IGNORE_INVALIDATE };
	char value[8] = "";
	FILE *file = fopen("/sys/module/vimport/parameters/misbehave", "r");

	igt_assert_f(file, "vimport does not show its parameter: %m\n");
	igt_assert(fgets(value, sizeof(value), file));
	fclose(file);
	igt_require_f(value[0] == 'N' || value[0] == '0',
		      "vimport is loaded with misbehave=1, so it is allowed\n");
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_MISBEHAVE, &args, EPERM);
	/* Also who asks for nothing is told that there is nothing to be had. */
	args.bugs = 0;
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_MISBEHAVE, &args, EPERM);
}

static const struct vshare_subtest subtests[] = {
	{ "info", "Each GPU says who it is and what it can do.", info },
	{ "info-bad-flags", "Unknown flags are refused.", info_bad_flags },
	{ "vm-create-destroy", "Address spaces have names of their own and are counted.",
	  vm_create_destroy },
	{ "vm-create-bad-flags", "Unknown flags are refused.", vm_create_bad_flags },
	{ "vm-create-limit", "One file cannot have address spaces without end.",
	  vm_create_limit },
	{ "vm-destroy-bad-id", "Only address spaces of the same file can be destroyed, once.",
	  vm_destroy_bad_id },
	{ "vm-destroy-bad-pad", "Padding is reserved.", vm_destroy_bad_pad },
	{ "import-prime", "Importing a dma-buf twice in the common way gives one handle.",
	  import_prime },
	{ "import-flavours", "Each import of a chosen flavour is an attachment of its own that "
	  "holds nothing.", import_flavours },
	{ "import-foreign", "Other exporters' memory is as good as the twin's.", import_foreign },
	{ "import-bad-fd", "Only dma-bufs can be imported.", import_bad_fd },
	{ "import-bad-members", "Unknown flags and padding are refused.", import_bad_members },
	{ "bind-unbind", "Parts of a buffer can be mapped anywhere in the address space.",
	  bind_unbind },
	{ "bind-bad-ids", "Address space and buffer must be this file's.", bind_bad_ids },
	{ "bind-misaligned", "Mappings consist of whole pages.", bind_misaligned },
	{ "bind-bad-range", "A mapping lies within the buffer and within the address space.",
	  bind_bad_range },
	{ "bind-bad-members", "Unknown operations and flags are refused.", bind_bad_members },
	{ "unbind-bad-members", "Unmapping has nothing to say about a buffer.",
	  unbind_bad_members },
	{ "close-while-bound", "A mapping keeps its buffer, with or without a handle.",
	  close_while_bound },
	{ "misbehave-bad-members", "Unknown bugs and padding are refused, allowed or not.",
	  misbehave_bad_members },
	{ "misbehave-needs-parameter", "No one gets deliberate bugs that the administrator has "
	  "not allowed.", misbehave_needs_parameter },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
