/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_FDINFO_H_
#define _VEXPORT_FDINFO_H_

struct drm_file;
struct drm_printer;

void vexport_fdinfo_show(struct drm_printer *p, struct drm_file *file);

#endif /* _VEXPORT_FDINFO_H_ */
