// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "igt.h"
#include "igt_tracefs.h"
#include "igt_vexport_profile.h"

IGT_TEST_DESCRIPTION("What a difficult buffer gives its importers: sg tables without pages, of "
		     "small segments and of large ones, and to some none at all.");

#define SIZE			PROFILE_SIZE
#define PAGE			4096u
#define PAGES			(SIZE / PAGE)

#define TT			DRM_VEXPORT_PLACEMENT_TT
#define VRAM			DRM_VEXPORT_PLACEMENT_VRAM
#define NASTY(name)		DRM_VEXPORT_NASTY_##name

/*
 * What an importer is given: a probe looks at each sg table that the dma-buf core hands
 * out, also at what no importer may look at.
 */
struct layout {
	unsigned int nents, orig_nents, length, dma_length;
	uint64_t page_link, addr[2];
};

#define PROBE			"vshare_igt/map"
#define PROBE_EVENT		TRACEFS_OURS "/events/" PROBE "/enable"

static void probe(const char *definition)
{
	int file = open(TRACEFS "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	igt_require_f(file >= 0, "Needs a kernel with CONFIG_KPROBE_EVENTS\n");
	igt_assert_f(write(file, definition, strlen(definition)) == (ssize_t)strlen(definition),
		     "The kernel refused the probe \"%s\": %m\n", definition);
	close(file);
}

/* Whatever became of the subtest: nobody wants the probe to stay. */
static void remove_probe(int sig)
{
	int file;

	tracefs_remove_ours(sig);
	file = open(TRACEFS "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	if (file >= 0) {
		/* It may not be there. */
		if (write(file, "-:" PROBE, strlen("-:" PROBE)) < 0)
			igt_debug("No probe to remove\n");
		close(file);
	}
}

static void layouts_begin(void)
{
	tracefs_make_ours();
	/* struct sg_table, then two of struct scatterlist on a 64-bit machine */
	probe("r:" PROBE " dma_buf_map_attachment sgl=+0($retval):x64 nents=+8($retval):u32 "
	      "orig=+12($retval):u32 link=+0(+0($retval)):x64 length=+12(+0($retval)):u32 "
	      "addr0=+16(+0($retval)):x64 dmalen=+24(+0($retval)):u32 "
	      "addr1=+48(+0($retval)):x64");
	tracefs_write(PROBE_EVENT, "1");
}

static void layouts_end(void)
{
	tracefs_write(PROBE_EVENT, "0");
	remove_probe(0);
}

static uint64_t value_of(const char *fields, const char *key)
{
	const char *value = strstr(fields, key);

	igt_assert_f(value, "The probe has not seen \"%s\": %s\n", key, fields);
	return strtoull(value + strlen(key), NULL, 0);
}

static void parse_layout(const char *fields, struct layout *layout)
{
	*layout = (struct layout) {
		.nents = value_of(fields, " nents="),
		.orig_nents = value_of(fields, " orig="),
		.page_link = value_of(fields, " link="),
		.length = value_of(fields, " length="),
		.dma_length = value_of(fields, " dmalen="),
		.addr = { value_of(fields, " addr0="), value_of(fields, " addr1=") },
	};
}

static void read_layout(struct layout *layout)
{
	unsigned int found = 0;
	char line[512];
	FILE *file = fopen(TRACEFS_OURS "/trace", "r");

	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		char *fields = *line == '#' ? NULL : strstr(line, "sgl=");

		if (!fields)
			continue;
		igt_debug("%s", fields);
		parse_layout(fields, layout);
		found++;
	}
	fclose(file);
	igt_assert_eq_u32(found, 1);
	/* Empty for the next one. */
	tracefs_write(TRACEFS_OURS "/trace", "\n");
}

/* A new importer maps the buffer and uses it. */
static struct layout layout_of(struct vshare_session *s, const struct vexport_bo *bo,
			       uint32_t import_flags)
{
	struct vimport_gpu gpu;
	struct layout layout;

	vimport_gpu_init(&gpu, 0, bo->dmabuf, SIZE, import_flags);
	profile_use(s, &gpu, bo);
	vimport_gpu_fini(&gpu);
	read_layout(&layout);
	return layout;
}

/*
 * The low bits are the kernel's own. CONFIG_DMABUF_DEBUG inverts all but the last eight
 * while an importer has the table, so that pages are garbage, but NULL is still seen.
 */
static bool has_page(const struct layout *layout)
{
	uint64_t link = layout->page_link & ~0xffull;

	return link && link != ~0xffull;
}

static void expect_pages(const struct layout *layout)
{
	igt_assert(has_page(layout));
	igt_assert_lt_u32(0, layout->orig_nents);
	igt_assert_lt_u32(0, layout->length);
}

static void pageless(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct layout layout;

	layouts_begin();
	for (uint32_t placement = TT; placement <= VRAM; placement++) {
		profile_create(s, &bo, placement);
		layout = layout_of(s, &bo, 0);
		expect_pages(&layout);

		profile_set(s, &bo, .nasty = NASTY(PAGELESS));
		layout = layout_of(s, &bo, 0);
		igt_assert(!has_page(&layout));
		igt_assert_eq_u32(layout.length, 0);
		igt_assert_eq_u32(layout.orig_nents, 0);
		igt_assert_lt_u32(0, layout.nents);
		igt_assert_lt_u32(0, layout.dma_length);
		igt_assert_eq_u64(profile_acted(s, &bo, NASTY(PAGELESS)), 1);

		/* Who cannot do without is given pages. */
		layout = layout_of(s, &bo, DRM_VIMPORT_IMPORT_NO_P2P);
		expect_pages(&layout);
		igt_assert_eq_u64(profile_acted(s, &bo, NASTY(PAGELESS)), 1);
		vexport_bo_fini(&bo);
	}
	layouts_end();
}

static void pageless_vram(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct layout layout;

	layouts_begin();
	profile_create(s, &bo, TT);
	profile_set(s, &bo, .nasty = NASTY(PAGELESS_VRAM));
	layout = layout_of(s, &bo, 0);
	expect_pages(&layout);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(PAGELESS_VRAM)), 0);

	vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
	layout = layout_of(s, &bo, 0);
	igt_assert(!has_page(&layout));
	igt_assert_eq_u32(layout.length, layout.dma_length);
	igt_assert_eq_u32(layout.orig_nents, layout.nents);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(PAGELESS_VRAM)), 1);
	vexport_bo_fini(&bo);
	layouts_end();
}

static void fragmented(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct layout layout;

	layouts_begin();
	for (uint32_t placement = TT; placement <= VRAM; placement++) {
		profile_create(s, &bo, placement);
		profile_set(s, &bo, .nasty = NASTY(FRAGMENTED), .max_segment = PAGE);
		layout = layout_of(s, &bo, 0);
		igt_assert_eq_u32(layout.nents, PAGES);
		igt_assert_eq_u32(layout.dma_length, PAGE);

		/* What is allocated from now on is scattered, so nothing can be joined. */
		profile_relocate(s, &bo);
		profile_set(s, &bo, .nasty = NASTY(FRAGMENTED), .max_segment = SIZE);
		layout = layout_of(s, &bo, 0);
		igt_assert_lte_u32(PAGES - 1, layout.nents);
		igt_assert(layout.addr[1] != layout.addr[0] + PAGE);
		igt_assert_eq_u64(profile_acted(s, &bo, NASTY(FRAGMENTED)), 2);

		vexport_bo_fini(&bo);
	}

	/*
	 * Nothing is larger than allowed, although there is such. Not in VRAM, which gets
	 * single pages in the place of those that importers have kept.
	 */
	profile_create(s, &bo, TT);
	profile_set(s, &bo, .nasty = NASTY(MAXIMAL));
	profile_relocate(s, &bo);
	profile_set(s, &bo, .nasty = NASTY(FRAGMENTED), .max_segment = 4 * PAGE);
	layout = layout_of(s, &bo, 0);
	igt_assert_eq_u32(layout.nents, PAGES / 4);
	igt_assert_eq_u32(layout.dma_length, 4 * PAGE);
	vexport_bo_fini(&bo);
	layouts_end();
}

static void maximal(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct layout layout;

	layouts_begin();
	for (uint32_t placement = TT; placement <= VRAM; placement++) {
		profile_create(s, &bo, placement);
		profile_set(s, &bo, .nasty = NASTY(FRAGMENTED), .max_segment = PAGE);
		profile_relocate(s, &bo);
		profile_set(s, &bo, .nasty = NASTY(MAXIMAL));
		layout = layout_of(s, &bo, 0);
		igt_assert_lte_u32(PAGES - 1, layout.nents);
		profile_relocate(s, &bo);
		layout = layout_of(s, &bo, 0);
		/* VRAM may consist of single pages by now; see fragmented(). */
		if (placement == TT) {
			igt_assert_eq_u32(layout.nents, 1);
			igt_assert_eq_u32(layout.dma_length, SIZE);
		}
		vexport_bo_fini(&bo);
	}
	layouts_end();
}

static void p2p_only(struct vshare_session *s)
{
	struct drm_vimport_import import = { .flags = DRM_VIMPORT_IMPORT_NO_P2P };
	struct drm_vimport_vm_bind bind = { .va = SIZE, .size = SIZE };
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t handle;

	profile_create(s, &bo, VRAM);
	/* Attached before anybody objects. */
	handle = vimport_import(s->gpu[0], bo.dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	profile_set(s, &bo, .nasty = NASTY(P2P_ONLY));
	bind.vm_id = vimport_vm_create(s->gpu[0]);
	bind.handle = handle;
	igt_assert_eq(__vimport_vm_bind(s->gpu[0], &bind), -EOPNOTSUPP);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(P2P_ONLY)), 1);
	gem_close(s->gpu[0], handle);
	vimport_vm_destroy(s->gpu[0], bind.vm_id);

	import.fd = bo.dmabuf;
	igt_assert_eq(__vimport_import(s->gpu[0], &import), -EOPNOTSUPP);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(P2P_ONLY)), 2);

	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	profile_use(s, &gpu, &bo);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(P2P_ONLY)), 2);
	vimport_gpu_fini(&gpu);

	vexport_bo_fini(&bo);
}

/* One that takes pages for granted, as static importers do. */
static void static_importer(struct vshare_session *s)
{
	int vgem = vshare_open_vgem();
	struct drm_prime_handle prime = {};
	struct vexport_bo bo;
	uint32_t handle;

	profile_create(s, &bo, VRAM);
	bo.map[0] = 0x57a71c;
	profile_set(s, &bo, .nasty = NASTY(PAGELESS) | NASTY(PAGELESS_VRAM));
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(PAGELESS)), 0);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(PAGELESS_VRAM)), 0);
	igt_assert_eq_u64(bo.map[0], 0x57a71c);
	gem_close(vgem, handle);

	profile_set(s, &bo, .nasty = NASTY(PAGELESS) | NASTY(P2P_ONLY));
	prime.fd = bo.dmabuf;
	igt_assert_eq(drmIoctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime), -1);
	igt_assert_eq(errno, EOPNOTSUPP);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(P2P_ONLY)), 1);
	close(vgem);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "layout-pageless", "An sg table is addresses and nothing else, for who can take it.",
	  pageless },
	{ "layout-pageless-vram", "An sg table of VRAM has no pages.", pageless_vram },
	{ "layout-fragmented", "Segments are small, and memory is scattered.", fragmented },
	{ "layout-maximal", "A buffer is one segment where memory allows.", maximal },
	{ "p2p-only", "Importers without peer-to-peer are kept away.", p2p_only },
	{ "static-importer", "An importer that needs pages is given them, or refused.",
	  static_importer },
};

igt_main
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
		igt_install_exit_handler(remove_probe);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
