// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: mappings
 *
 * A mapping ends in three steps, because three parties know it:
 *
 * - the VA tree. What is to be unmapped is taken out of it, which is final: no job
 *   that is submitted from then on brings its translations. What a mapping has outside
 *   the range stays, as one or two mappings of their own;
 * - the page table, when no job is left that may use it, see vimport_use_end_mapping().
 *   Until then it stays linked to its import, so that a move zaps it like any other;
 * - the import and the tables, by vimport_va_release(): only now does the exporter get
 *   the sg table back.
 *
 * A page that stays mapped is translated all the time, and in the same way: jobs that
 * use it may be running while its neighbours go.
 *
 * Each mapping, whether in the tree or out of it, has a reservation in the page table for
 * its range. The pieces of a mapping get theirs before that of the whole is given
 * up, so all tables are there, and nothing is allocated.
 */

#include <drm/drm_gpuvm.h>
#include <drm/vimport_drm.h>

#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/dma-resv.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "vimport_bo.h"
#include "vimport_use.h"
#include "vimport_va.h"
#include "vimport_vm.h"

static u64 range_end(const struct drm_gpuva *va)
{
	return va->va.addr + va->va.range;
}

/**
 * vimport_va_change_init - get ready to change the VA tree
 * @change: to be freed with vimport_va_change_fini(), also after an error
 * @vm: address space
 * @map: whether there is going to be a new mapping
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_va_change_init(struct vimport_va_change *change, struct vimport_vm *vm, bool map)
{
	*change = (struct vimport_va_change) { .vm = vm };
	INIT_LIST_HEAD(&change->gone);

	change->prev = kzalloc(sizeof(*change->prev), GFP_KERNEL_ACCOUNT);
	change->next = kzalloc(sizeof(*change->next), GFP_KERNEL_ACCOUNT);
	if (!change->prev || !change->next)
		return -ENOMEM;
	if (!map)
		return 0;

	change->map = kzalloc(sizeof(*change->map), GFP_KERNEL_ACCOUNT);
	return change->map ? 0 : -ENOMEM;
}

/**
 * vimport_va_change_fini - free what a change has not used
 * @change: change, of which everything that is gone was released
 */
void vimport_va_change_fini(struct vimport_va_change *change)
{
	WARN_ON(!list_empty(&change->gone));
	kfree(change->map);
	kfree(change->prev);
	kfree(change->next);
}

/**
 * vimport_va_check_room - see whether a change keeps to the limits
 * @vm: address space, its lock held
 * @addr: first address
 * @size: size of the range
 * @map: whether the range gets a new mapping
 * @async: whether what goes may have to wait for jobs
 *
 * What waits counts as well, or it could be any amount. It may be as much as an address
 * space can hold, so that all of one can be replaced without a wait.
 *
 * Return: 0; -ENOSPC if there would be too much in the address space; -EAGAIN if too much
 * is on its way out.
 */
int vimport_va_check_room(struct vimport_vm *vm, u64 addr, u64 size, bool map, bool async)
{
	unsigned int mappings = vm->mappings + map, gone = 0;
	u64 mapped = vm->mapped + (map ? size : 0), gone_bytes = 0;
	struct drm_gpuva *va;

	lockdep_assert_held(&vm->lock);

	drm_gpuvm_for_each_va_range(va, &vm->base, addr, addr + size) {
		gone++;
		gone_bytes += min(range_end(va), addr + size) - max(va->va.addr, addr);
		/* What is left of it, in front and behind. */
		mappings += (va->va.addr < addr) + (range_end(va) > addr + size);
	}
	mappings -= gone;
	mapped -= gone_bytes;

	if (mappings > VIMPORT_MAX_MAPPINGS || mapped > VIMPORT_MAX_MAPPED)
		return -ENOSPC;
	if (async && (gone > VIMPORT_MAX_MAPPINGS - vm->leaving ||
		      gone_bytes > VIMPORT_MAX_MAPPED - vm->leaving_bytes))
		return -EAGAIN;
	return 0;
}

/* A mapping that is in the VA tree joins those of its import. */
static void link_locked(struct vimport_vm *vm, struct vimport_va *va, struct drm_gpuvm_bo *vm_bo)
{
	lockdep_assert_held(&vm->lock);
	dma_resv_assert_held(vm_bo->obj->resv);

	drm_gpuva_link(&va->base, vm_bo);
	mutex_lock(&vm->pt.lock);
	list_add_tail(&va->node, &to_vimport_vm_bo(vm_bo)->mappings);
	mutex_unlock(&vm->pt.lock);
	vm->mappings++;
	vm->mapped += va->base.va.range;
}

static bool has_no_flush_bug_locked(struct vimport_va *va)
{
	struct vimport_bo *bo = to_vimport_bo(va->base.gem.obj);

	dma_resv_assert_held(bo->base.resv);

	return bo->bugs & DRM_VIMPORT_BUG_NO_FLUSH;
}

/* A mapping that was in the VA tree with @size bytes is out of it. */
static void take_out(struct vimport_va_change *change, struct vimport_va *va, u64 size)
{
	struct vimport_vm *vm = change->vm;

	lockdep_assert_held(&vm->lock);

	va->leaving = true;
	list_add_tail(&va->gone_node, &change->gone);
	vm->mappings--;
	vm->mapped -= size;
	vm->leaving++;
	vm->leaving_bytes += va->base.va.range;
}

/**
 * vimport_va_step_map - drm_gpuvm has a new mapping
 * @op: what to map
 * @priv: &struct vimport_va_change
 *
 * Return: 0, like the other steps: what they need is there.
 */
int vimport_va_step_map(struct drm_gpuva_op *op, void *priv)
{
	struct vimport_va_change *change = priv;
	struct vimport_va *va = change->map;

	change->map = NULL;
	drm_gpuva_map(&change->vm->base, &va->base, &op->map);
	link_locked(change->vm, va, change->vm_bo);
	return 0;
}

/* The piece of @va that stays. Its tables are there, so the reservation cannot fail. */
static void keep_locked(struct vimport_vm *vm, struct vimport_va *va, struct vimport_va *piece)
{
	piece->write = va->write;
	piece->generation = va->generation;
	WARN_ON(vimport_pt_reserve(&vm->pt, piece->base.va.addr, piece->base.va.range));
	link_locked(vm, piece, va->base.vm_bo);
}

/**
 * vimport_va_step_remap - drm_gpuvm has a mapping that loses a part
 * @op: what the mapping was, and what is left of it
 * @priv: &struct vimport_va_change
 *
 * The object that was the mapping stands for the part that goes from now on.
 *
 * Return: 0.
 */
int vimport_va_step_remap(struct drm_gpuva_op *op, void *priv)
{
	struct vimport_va_change *change = priv;
	struct vimport_va *va = to_vimport_va(op->remap.unmap->va), *prev = NULL, *next = NULL;
	u64 old_addr = va->base.va.addr, old_size = va->base.va.range;
	u64 addr = old_addr, end = range_end(&va->base);
	struct vimport_vm *vm = change->vm;

	if (op->remap.prev) {
		swap(prev, change->prev);
		addr += op->remap.prev->va.range;
	}
	if (op->remap.next) {
		swap(next, change->next);
		end = op->remap.next->va.addr;
	}
	drm_gpuva_remap(prev ? &prev->base : NULL, next ? &next->base : NULL, &op->remap);
	if (prev)
		keep_locked(vm, va, prev);
	if (next)
		keep_locked(vm, va, next);

	WARN_ON(vimport_pt_reserve(&vm->pt, addr, end - addr));
	vimport_pt_release(&vm->pt, old_addr, old_size);
	/* After its pieces are on the list that it is on: whoever zaps meets each page. */
	scoped_guard(mutex, &vm->pt.lock) {
		va->base.va.addr = addr;
		va->base.va.range = end - addr;
	}
	va->no_flush = has_no_flush_bug_locked(va);
	take_out(change, va, old_size);
	return 0;
}

/**
 * vimport_va_step_unmap - drm_gpuvm has a mapping that goes
 * @op: which one
 * @priv: &struct vimport_va_change
 *
 * Return: 0.
 */
int vimport_va_step_unmap(struct drm_gpuva_op *op, void *priv)
{
	struct vimport_va *va = to_vimport_va(op->unmap.va);

	drm_gpuva_unmap(&op->unmap);
	va->no_flush = has_no_flush_bug_locked(va);
	take_out(priv, va, va->base.va.range);
	return 0;
}

/**
 * vimport_va_map_locked - put a new mapping into the VA tree
 * @change: change with room for one, and with its &vimport_va_change.vm_bo
 * @obj: import
 * @offset: offset in @obj
 * @addr: first address; the tables of the range are reserved
 * @size: size of the range
 * @write: whether the engine may store through the mapping
 *
 * Whatever is mapped in the range goes, and is in the list of @change then.
 *
 * Locks: the VM's lock, and the dma_resv of @obj and of all that is mapped in the range.
 */
void vimport_va_map_locked(struct vimport_va_change *change, struct drm_gem_object *obj,
			   u64 offset, u64 addr, u64 size, bool write)
{
	const struct drm_gpuvm_map_req req = {
		.map.va.addr = addr,
		.map.va.range = size,
		.map.gem.obj = obj,
		.map.gem.offset = offset,
	};

	lockdep_assert_held(&change->vm->lock);
	dma_resv_assert_held(obj->resv);

	change->map->write = write;
	WARN_ON(drm_gpuvm_sm_map(&change->vm->base, change, &req));
}

/**
 * vimport_va_unmap_locked - take a range out of the VA tree
 * @change: change; its list has what goes
 * @addr: first address
 * @size: size of the range
 *
 * Locks: the VM's lock, and the dma_resv of all that is mapped in the range.
 */
void vimport_va_unmap_locked(struct vimport_va_change *change, u64 addr, u64 size)
{
	lockdep_assert_held(&change->vm->lock);

	WARN_ON(drm_gpuvm_sm_unmap(&change->vm->base, change, addr, size));
}

/**
 * vimport_va_zap - take what goes out of the page table
 * @change: change that is made
 *
 * No job is left that may use any of it, and none has brought translations for what
 * came in its place. In the fence-signalling path.
 */
void vimport_va_zap(struct vimport_va_change *change)
{
	struct vimport_va *va;

	list_for_each_entry(va, &change->gone, gone_node) {
		vimport_use_end_mapping(change->vm, va);
		cond_resched();
	}
}

/* Drops what may be the last reference to the import but for the caller's. */
static void unlink_locked(struct vimport_va *va)
{
	struct vimport_bo *bo = to_vimport_bo(va->base.gem.obj);

	dma_resv_assert_held(bo->base.resv);

	drm_gpuva_unlink(&va->base);
	kfree(va);
	vimport_bo_unmap_unused_locked(bo);
}

static void unlink(struct vimport_vm *vm, struct vimport_va *va)
{
	struct drm_gem_object *obj = va->base.gem.obj;

	if (va->unflushed) {
		mutex_lock(&vm->pt.lock);
		list_del(&va->node);
		/* Nobody would take it off: it has no mapping any more. */
		if (list_empty(&to_vimport_vm_bo(va->base.vm_bo)->mappings))
			list_del_init(&to_vimport_vm_bo(va->base.vm_bo)->zap_node);
		mutex_unlock(&vm->pt.lock);
	}

	/* Unlinking may drop the last other reference, under the lock. */
	drm_gem_object_get(obj);
	dma_resv_lock(obj->resv, NULL);
	unlink_locked(va);
	dma_resv_unlock(obj->resv);
	drm_gem_object_put(obj);
}

/**
 * vimport_va_release - give back what a mapping had that is zapped
 * @change: change that is made, after vimport_va_zap()
 *
 * Locks: the VM's lock is held, takes the dma_resv of each import.
 */
void vimport_va_release(struct vimport_va_change *change)
{
	struct vimport_vm *vm = change->vm;
	struct vimport_va *va, *next;

	lockdep_assert_held(&vm->lock);

	list_for_each_entry_safe(va, next, &change->gone, gone_node) {
		list_del(&va->gone_node);
		vm->leaving--;
		vm->leaving_bytes -= va->base.va.range;
		vimport_pt_release(&vm->pt, va->base.va.addr, va->base.va.range);
		if (va->unflushed && !READ_ONCE(vm->dead))
			list_add_tail(&va->gone_node, &vm->unflushed);
		else
			unlink(vm, va);
	}
}

/*
 * As long as the engine can reach a buffer through the TLB its exporter has to keep the
 * pages. So it does not get the sg table back before the address space dies.
 */
static void release_unflushed(struct vimport_vm *vm)
{
	struct vimport_va *va, *next;

	lockdep_assert_held(&vm->lock);

	list_for_each_entry_safe(va, next, &vm->unflushed, gone_node) {
		list_del(&va->gone_node);
		unlink(vm, va);
	}
}

/**
 * vimport_va_unmap_all - take everything down
 * @vm: address space that is dead and idle, its lock held
 */
void vimport_va_unmap_all(struct vimport_vm *vm)
{
	struct vimport_va_change change = { .vm = vm };
	struct drm_gpuva *va, *next;

	lockdep_assert_held(&vm->lock);

	INIT_LIST_HEAD(&change.gone);
	drm_gpuvm_for_each_va_safe(va, next, &vm->base) {
		drm_gpuva_remove(va);
		take_out(&change, to_vimport_va(va), va->va.range);
	}
	vimport_va_zap(&change);
	vimport_va_release(&change);
	release_unflushed(vm);
}
