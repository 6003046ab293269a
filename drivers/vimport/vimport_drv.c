// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_prime.h>
#include <drm/vimport_drm.h>

#include <linux/cc_platform.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/mod_devicetable.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "vimport_bind.h"
#include "vimport_bo.h"
#include "vimport_cmd.h"
#include "vimport_drv.h"
#include "vimport_find.h"
#include "vimport_job.h"
#include "vimport_lockdep.h"
#include "vimport_misbehave.h"
#include "vimport_pt.h"
#include "vimport_queue.h"
#include "vimport_raw.h"
#include "vimport_stats.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"
#include "vimport_wait.h"

#define MAX_GPUS	8

/*
 * Releases at a time. The importers of one buffer wait for one reservation, which
 * its exporter still holds when they are told: a worker for each of 64 would only
 * wake up to wait. More than one, so that who is slow holds up few others.
 */
#define MAX_RELEASES	4

static unsigned int gpus = 2;
module_param(gpus, uint, 0444);
MODULE_PARM_DESC(gpus, "Number of GPUs, 1 to " __stringify(MAX_GPUS) " (default 2)");

struct workqueue_struct *vimport_wq;
struct workqueue_struct *vimport_destroy_wq;
struct workqueue_struct *vimport_release_wq;

static struct platform_device *pdevs[MAX_GPUS];

static int info_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_device *vdev = to_vimport_device(drm);
	struct vimport_counters *counters = &vdev->counters;
	struct drm_vimport_info *args = data;

	if (args->flags)
		return -EINVAL;

	args->gpu = vdev->gpu;
	args->va_bits = VIMPORT_VA_BITS;
	args->max_cmds = VIMPORT_MAX_CMDS;
	args->max_job_ns = VIMPORT_MAX_JOB_NS;
	args->max_job_bytes = VIMPORT_MAX_JOB_BYTES;
	args->jobs = atomic64_read(&counters->jobs);
	args->job_errors = atomic64_read(&counters->job_errors);
	args->bytes_written = atomic64_read(&counters->bytes_written);
	args->invalidations = atomic64_read(&counters->invalidations);
	args->revalidations = atomic64_read(&counters->revalidations);
	args->tlb_flushes = atomic64_read(&counters->tlb_flushes);
	args->gpu_faults = atomic64_read(&counters->gpu_faults);
	args->vms = atomic_read(&counters->vms);
	args->imports = atomic_read(&counters->imports);
	args->jobs_pending = atomic_read(&counters->jobs_pending);
	args->fences = atomic_read(&counters->fences);
	args->resets = atomic64_read(&counters->resets);
	args->queues = atomic_read(&counters->queues);
	args->userptr_invalidations = atomic64_read(&counters->userptr_invalidations);
	args->userptr_faults = atomic64_read(&counters->userptr_faults);
	args->userptr_retries = atomic64_read(&counters->userptr_retries);
	args->userptrs = atomic_read(&counters->userptrs);
	args->tables = atomic_read(&counters->tables);
	args->pad2 = 0;
	return 0;
}

/*
 * PRIME's import callback is not told which file it works for, this one is. It
 * is also called for a buffer that the file has imported already.
 */
static int prime_fd_to_handle(struct drm_device *drm, struct drm_file *file, int fd,
			      u32 *handle)
{
	struct vimport_file *vfile = file->driver_priv;
	struct drm_gem_object *obj;
	int ret;

	ret = drm_gem_prime_fd_to_handle(drm, file, fd, handle);
	if (ret || !vimport_misbehave_allowed())
		return ret;

	obj = drm_gem_object_lookup(file, *handle);
	if (obj) {
		vimport_bo_misbehave(obj, READ_ONCE(vfile->bugs));
		drm_gem_object_put(obj);
	}
	return 0;
}

static int file_open(struct drm_device *drm, struct drm_file *file)
{
	struct vimport_file *vfile = kzalloc(sizeof(*vfile), GFP_KERNEL_ACCOUNT);

	if (!vfile)
		return -ENOMEM;

	vfile->client = vimport_client_create();
	if (!vfile->client) {
		kfree(vfile);
		return -ENOMEM;
	}
	xa_init_flags(&vfile->vms, XA_FLAGS_ALLOC1);
	vimport_raw_open(&vfile->raws);
	xa_init_flags(&vfile->queues, XA_FLAGS_ALLOC1);
	vimport_find_init(&vfile->find);
	file->driver_priv = vfile;
	return 0;
}

static void file_close(struct drm_device *drm, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct vimport_vm *vm;
	unsigned long id;

	vimport_queue_destroy_all(file, NULL);
	xa_destroy(&vfile->queues);
	xa_for_each(&vfile->vms, id, vm)
		vimport_vm_destroy(vm);
	xa_destroy(&vfile->vms);
	vimport_raw_close(&vfile->raws);
	vimport_client_put(vfile->client);
	vimport_find_fini(&vfile->find);
	kfree(vfile);
}

static const struct drm_ioctl_desc ioctls[] = {
	DRM_IOCTL_DEF_DRV(VIMPORT_INFO, info_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_VM_CREATE, vimport_vm_create_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_VM_DESTROY, vimport_vm_destroy_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_VM_BIND, vimport_bind_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_IMPORT, vimport_bo_import_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_EXEC, vimport_job_exec_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_USERPTR, vimport_userptr_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_USERPTR_FIND, vimport_find_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_MISBEHAVE, vimport_misbehave_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_RAW, vimport_raw_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_QUEUE_CREATE, vimport_queue_create_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_QUEUE_DESTROY, vimport_queue_destroy_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_QUEUE_QUERY, vimport_queue_query_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_VM_QUERY, vimport_stats_query_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VIMPORT_WAIT_FENCE, vimport_wait_fence_ioctl, DRM_RENDER_ALLOW),
};

static const struct file_operations vimport_fops = {
	.owner = THIS_MODULE,
	DRM_GEM_FOPS,
	.show_fdinfo = drm_show_fdinfo,
};

static const struct drm_driver vimport_driver = {
	.driver_features = DRIVER_GEM | DRIVER_GEM_GPUVA | DRIVER_RENDER |
			   DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE,
	.open = file_open,
	.postclose = file_close,
	.gem_prime_import = vimport_bo_import,
	.prime_fd_to_handle = prime_fd_to_handle,
	.ioctls = ioctls,
	.num_ioctls = ARRAY_SIZE(ioctls),
	.fops = &vimport_fops,
	.show_fdinfo = vimport_client_show_fdinfo,
	.name = "vimport",
	.desc = "GPU made of software, importer of dma-bufs",
	.major = 1,
	.minor = 3,
};

/* Does a DMA address that @dev is given name the page that it is for? */
static int dma_self_test(struct device *dev)
{
	struct page *page;
	dma_addr_t addr;
	int ret = 0;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;

	addr = dma_map_page(dev, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, addr)) {
		ret = -ENODEV;
		goto out_free;
	}
	if (addr != page_to_phys(page))
		ret = -ENODEV;
	dma_unmap_page(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);

out_free:
	__free_page(page);
	return ret;
}

/*
 * The engine follows DMA addresses with the CPU, so they have to be physical
 * ones. Refuse where they are something else, or it would write to wherever
 * that happens to be.
 */
static int check_dma(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	int ret;

	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT)) {
		dev_err(dev, "memory is encrypted: boot with mem_encrypt=off, or not as a confidential guest\n");
		return -ENODEV;
	}

	if (domain && domain->type != IOMMU_DOMAIN_IDENTITY) {
		dev_err(dev, "behind an IOMMU that translates: boot with iommu=pt\n");
		return -ENODEV;
	}

	ret = dma_self_test(dev);
	if (ret == -ENODEV)
		dev_err(dev, "DMA addresses are not physical ones: boot without swiotlb=force\n");
	return ret;
}

static int vimport_probe(struct platform_device *pdev)
{
	const struct platform_device_id *id = platform_get_device_id(pdev);
	struct vimport_device *vdev;
	int ret;

	/* Somebody else's device, forced on us through driver_override. */
	if (!id)
		return -ENODEV;

	vdev = devm_drm_dev_alloc(&pdev->dev, &vimport_driver, struct vimport_device, drm);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);

	vdev->gpu = id->driver_data;
	init_rwsem(&vdev->notifier_lock);
	platform_set_drvdata(pdev, vdev);

	ret = dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);

	ret = check_dma(&pdev->dev);
	if (ret)
		return ret;

	ret = vimport_engine_init(vdev);
	if (ret)
		return ret;

	/* Before anybody can take a lock in another order. */
	ret = vimport_lockdep_prime(vdev);
	if (ret)
		goto err_fini_engine;

	ret = drm_dev_register(&vdev->drm, 0);
	if (ret)
		goto err_fini_engine;
	return 0;

err_fini_engine:
	vimport_engine_fini(vdev);
	return ret;
}

static void vimport_remove(struct platform_device *pdev)
{
	struct vimport_device *vdev = platform_get_drvdata(pdev);

	drm_dev_unregister(&vdev->drm);
	vimport_engine_fini(vdev);
}

/*
 * A name for each GPU, because libdrm takes platform devices of one name for one
 * device: drmGetDevices2() would show only the first.
 */
static const struct platform_device_id vimport_ids[MAX_GPUS + 1] = {
	{ "vimport0", 0 }, { "vimport1", 1 }, { "vimport2", 2 }, { "vimport3", 3 },
	{ "vimport4", 4 }, { "vimport5", 5 }, { "vimport6", 6 }, { "vimport7", 7 },
	{}
};

static struct platform_driver vimport_platform_driver = {
	.probe = vimport_probe,
	.remove = vimport_remove,
	.id_table = vimport_ids,
	.driver = {
		.name = "vimport",
		/* Module references keep the devices, so only unloading unbinds. */
		.suppress_bind_attrs = true,
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
};

static void remove_devices(void)
{
	unsigned int i;

	for (i = 0; i < MAX_GPUS && pdevs[i]; i++)
		platform_device_unregister(pdevs[i]);
}

static int __init vimport_init(void)
{
	unsigned int i;
	int ret;

	if (!gpus || gpus > MAX_GPUS) {
		pr_err("vimport: gpus=%u is not between 1 and %u\n", gpus, MAX_GPUS);
		return -EINVAL;
	}

	vimport_wq = alloc_workqueue("vimport", WQ_UNBOUND, 0);
	if (!vimport_wq)
		return -ENOMEM;

	vimport_destroy_wq = alloc_workqueue("vimport-destroy", WQ_UNBOUND, 0);
	if (!vimport_destroy_wq) {
		ret = -ENOMEM;
		goto err_destroy_wq;
	}

	/* An exporter in reclaim may be waiting for what this one does. */
	vimport_release_wq = alloc_workqueue("vimport-release", WQ_UNBOUND | WQ_MEM_RECLAIM,
					     MAX_RELEASES);
	if (!vimport_release_wq) {
		ret = -ENOMEM;
		goto err_destroy_destroy_wq;
	}

	ret = platform_driver_register(&vimport_platform_driver);
	if (ret)
		goto err_destroy_release_wq;

	for (i = 0; i < gpus; i++) {
		struct platform_device *pdev;

		pdev = platform_device_register_simple(vimport_ids[i].name, PLATFORM_DEVID_NONE,
						       NULL, 0);
		if (IS_ERR(pdev)) {
			ret = PTR_ERR(pdev);
			goto err_remove_devices;
		}
		pdevs[i] = pdev;

		/* A module without a device would only puzzle its user. */
		if (!device_is_bound(&pdev->dev)) {
			ret = -ENODEV;
			goto err_remove_devices;
		}
	}

	return 0;

err_remove_devices:
	remove_devices();
	platform_driver_unregister(&vimport_platform_driver);
err_destroy_release_wq:
	destroy_workqueue(vimport_release_wq);
err_destroy_destroy_wq:
	destroy_workqueue(vimport_destroy_wq);
err_destroy_wq:
	destroy_workqueue(vimport_wq);
	return ret;
}

static void __exit vimport_exit(void)
{
	/* The last address space may have dropped the module a moment ago. */
	flush_workqueue(vimport_destroy_wq);
	flush_workqueue(vimport_wq);
	remove_devices();
	platform_driver_unregister(&vimport_platform_driver);
	destroy_workqueue(vimport_release_wq);
	destroy_workqueue(vimport_destroy_wq);
	destroy_workqueue(vimport_wq);
	/* Fences drop the module, and return to it, in an RCU callback. */
	rcu_barrier();
}

module_init(vimport_init);
module_exit(vimport_exit);

MODULE_AUTHOR("The vshare authors");
MODULE_DESCRIPTION("GPU made of software that imports moving dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VSHARE_NS_DMA_BUF);
