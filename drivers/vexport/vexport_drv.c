// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cc_platform.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_client.h"
#include "vexport_copy.h"
#include "vexport_debugfs.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_dumb.h"
#include "vexport_fdinfo.h"
#include "vexport_evict.h"
#include "vexport_fault.h"
#include "vexport_heap.h"
#include "vexport_lockdep.h"
#include "vexport_profile.h"
#include "vexport_request.h"
#include "vexport_storm.h"
#include "vexport_swap.h"
#include "vexport_revoke.h"
#include "vexport_stall.h"
#include "vexport_ttm.h"
#include "vexport_usage.h"
#include "vexport_verdict.h"

#define MAX_INSTANCES	8

static unsigned int instances = 1;
module_param(instances, uint, 0444);
MODULE_PARM_DESC(instances, "Number of devices, 1 to 8 (default 1)");

static unsigned int vram_mb = 64;
module_param(vram_mb, uint, 0444);
MODULE_PARM_DESC(vram_mb, "VRAM of each device in MiB (default 64)");

static unsigned int pin_limit_mb;
module_param(pin_limit_mb, uint, 0444);
MODULE_PARM_DESC(pin_limit_mb,
		 "What importers may pin per device in MiB (default 0: an eighth of memory)");

static unsigned int client_pin_limit_mb;
module_param(client_pin_limit_mb, uint, 0444);
MODULE_PARM_DESC(client_pin_limit_mb,
		 "What of it is for each user without CAP_IPC_LOCK in MiB (default 0: a quarter)");

static struct platform_device *platform_devices[MAX_INSTANCES];

/* What the quarantine holds anybody can have. The lock keeps the two numbers together. */
static u64 vram_used(struct vexport_device *vdev)
{
	guard(mutex)(&vdev->quarantine.lock);
	return vexport_vram_used(&vdev->vram) - atomic64_read(&vdev->quarantine.vram_bytes);
}

static int ioctl_info(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vexport_device *vdev = to_vexport_device(drm);
	struct vexport_stats *stats = &vdev->stats;
	struct drm_vexport_info *args = data;

	if (args->flags)
		return -EINVAL;

	*args = (struct drm_vexport_info){
		.caps = VSHARE_IMPLICIT_PIN ? DRM_VEXPORT_CAP_IMPLICIT_PIN : 0,
		.vram_size = vdev->vram.size,
		.vram_used = vram_used(vdev),
		.moves = atomic64_read(&stats->moves),
		.evictions = atomic64_read(&stats->evictions),
		.notifies = atomic64_read(&stats->notifies),
		.stale_words = atomic64_read(&stats->stale_words),
		.buffers = atomic_read(&stats->buffers),
		.dmabufs = atomic_read(&stats->dmabufs),
		.attachments = atomic_read(&stats->attachments),
		.maps = atomic_read(&stats->maps),
		.storages = atomic_read(&stats->storages),
		.fences = vexport_copy_fences(),
		.pinned = atomic64_read(&stats->pinned),
		.pin_limit = vdev->pin_limit,
		.client_pinned = vexport_client_pinned(&vdev->clients),
		.client_pin_limit = vdev->client_pin_limit,
		.quarantined = atomic64_read(&vdev->quarantine.bytes),
	};
	return 0;
}

static const struct drm_ioctl_desc vexport_ioctls[] = {
	DRM_IOCTL_DEF_DRV(VEXPORT_INFO, ioctl_info, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_GEM_CREATE, vexport_bo_ioctl_create, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_GEM_MMAP_OFFSET, vexport_bo_ioctl_mmap_offset, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_BO_QUERY, vexport_bo_ioctl_query, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_BO_MOVE, vexport_request_ioctl_move, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_EVICT, vexport_evict_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_STORM, vexport_storm_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_BO_REVOKE, vexport_revoke_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_GEM_EXPORT, vexport_dmabuf_ioctl_export, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_BO_PROFILE, vexport_profile_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_BO_VERDICT, vexport_verdict_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_FAULT, vexport_fault_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(VEXPORT_STALL, vexport_stall_ioctl, DRM_RENDER_ALLOW),
};

static const struct file_operations vexport_fops = {
	.owner = THIS_MODULE,
	DRM_GEM_FOPS,
	.show_fdinfo = drm_show_fdinfo,
};

static const struct drm_driver vexport_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE,
	.fops = &vexport_fops,
	.ioctls = vexport_ioctls,
	.num_ioctls = ARRAY_SIZE(vexport_ioctls),
	.open = vexport_usage_open,
	.postclose = vexport_usage_close,
	.gem_prime_import = vexport_dmabuf_import,
	.gem_prime_import_sg_table = vexport_dumb_import_sg_table,
	.dumb_create = vexport_dumb_create,
	.dumb_map_offset = vexport_dumb_map_offset,
	.show_fdinfo = vexport_fdinfo_show,
	.debugfs_init = vexport_debugfs_init,
	.name = "vexport",
	.desc = "Exporter whose buffers move",
	.major = 1,
	.minor = 2,
};

static u64 pin_limit(void)
{
	if (pin_limit_mb)
		return (u64)pin_limit_mb * SZ_1M;
	return ((u64)totalram_pages() << PAGE_SHIFT) / 8;
}

static int vexport_probe(struct platform_device *pdev)
{
	const struct platform_device_id *id = platform_get_device_id(pdev);
	struct vexport_device *vdev;
	int ret;

	/* Somebody else's device, forced on us through driver_override. */
	if (!id)
		return -ENODEV;

	/* TTM would map VRAM decrypted, and the kernel's own mapping is not. */
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return dev_err_probe(&pdev->dev, -ENODEV,
				     "memory encryption is on: VRAM made of pages cannot work\n");

	ret = dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;

	vdev = devm_drm_dev_alloc(&pdev->dev, &vexport_driver, struct vexport_device, drm);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);

	vdev->index = id->driver_data;
	vdev->pin_limit = pin_limit();
	vdev->client_pin_limit = client_pin_limit_mb ? (u64)client_pin_limit_mb * SZ_1M :
						       vdev->pin_limit / 4;
	vexport_client_init(&vdev->clients);
	spin_lock_init(&vdev->bos_lock);
	INIT_LIST_HEAD(&vdev->bos);
	platform_set_drvdata(pdev, vdev);

	/* Undone in the opposite order when the last reference to the device goes. */
	ret = vexport_copy_init(vdev);
	if (ret)
		return ret;
	ret = vexport_quarantine_init(vdev);
	if (ret)
		return ret;
	ret = vexport_ttm_init(vdev);
	if (ret)
		return ret;
	ret = vexport_vram_init(vdev, (u64)vram_mb * SZ_1M);
	if (ret)
		return ret;

	ret = vexport_swap_init(vdev);
	if (ret)
		return ret;

	ret = vexport_profile_init_device(vdev);
	if (ret)
		return ret;

	/* Before anybody can take a lock in another order. */
	vexport_lockdep_prime(vdev);

	ret = drm_dev_register(&vdev->drm, 0);
	if (ret)
		return ret;

	ret = vexport_heap_register(vdev);
	if (ret)
		goto err_unregister;
	return 0;

err_unregister:
	drm_dev_unplug(&vdev->drm);
	return ret;
}

/*
 * Clients may keep files, dma-bufs and mappings for as long as they like. The device
 * stays until they have closed them, without a node and without answers; what importers
 * have mapped stays where it is. Another one may be bound meanwhile.
 */
static void vexport_remove(struct platform_device *pdev)
{
	struct vexport_device *vdev = platform_get_drvdata(pdev);

	vexport_heap_unregister(vdev);
	drm_dev_unplug(&vdev->drm);
	vexport_revoke_unplugged(vdev);
}

/*
 * A name for each instance, because libdrm takes platform devices of one name
 * for one device: drmGetDevices2() would show only the first.
 */
static const struct platform_device_id vexport_ids[MAX_INSTANCES + 1] = {
	{ "vexport0", 0 }, { "vexport1", 1 }, { "vexport2", 2 }, { "vexport3", 3 },
	{ "vexport4", 4 }, { "vexport5", 5 }, { "vexport6", 6 }, { "vexport7", 7 },
	{}
};

static struct platform_driver vexport_platform_driver = {
	.probe = vexport_probe,
	.remove = vexport_remove,
	.id_table = vexport_ids,
	.driver = {
		.name = "vexport",
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
};

static void unregister_devices(void)
{
	unsigned int i;

	for (i = 0; i < MAX_INSTANCES; i++)
		platform_device_unregister(platform_devices[i]);
}

static int register_devices(void)
{
	struct platform_device *pdev;
	unsigned int i;

	for (i = 0; i < instances; i++) {
		pdev = platform_device_register_simple(vexport_ids[i].name, PLATFORM_DEVID_NONE,
						       NULL, 0);
		if (IS_ERR(pdev)) {
			unregister_devices();
			return PTR_ERR(pdev);
		}
		platform_devices[i] = pdev;

		/* A module without a device would only puzzle its user. */
		if (!device_is_bound(&pdev->dev)) {
			unregister_devices();
			return -ENODEV;
		}
	}
	return 0;
}

static int __init vexport_init(void)
{
	int ret;

	if (!instances || instances > MAX_INSTANCES || !vram_mb) {
		pr_err("vexport: instances must be 1 to %u, vram_mb not 0\n", MAX_INSTANCES);
		return -EINVAL;
	}

	ret = platform_driver_register(&vexport_platform_driver);
	if (ret)
		return ret;

	ret = register_devices();
	if (ret)
		platform_driver_unregister(&vexport_platform_driver);
	return ret;
}

static void __exit vexport_exit(void)
{
	unregister_devices();
	platform_driver_unregister(&vexport_platform_driver);
	/* Fences drop the module, and return to it, in an RCU callback. */
	rcu_barrier();
}

module_init(vexport_init);
module_exit(vexport_exit);

MODULE_AUTHOR("The vshare authors");
MODULE_DESCRIPTION("DRM exporter whose buffers move");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VSHARE_NS_DMA_BUF);
