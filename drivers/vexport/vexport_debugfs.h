/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_DEBUGFS_H_
#define _VEXPORT_DEBUGFS_H_

struct drm_minor;

void vexport_debugfs_init(struct drm_minor *minor);

#endif /* _VEXPORT_DEBUGFS_H_ */
