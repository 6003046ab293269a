/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_MMAP_H_
#define _VEXPORT_MMAP_H_

#include <linux/mm.h>

extern const struct vm_operations_struct vexport_mmap_vm_ops;

#endif /* _VEXPORT_MMAP_H_ */
