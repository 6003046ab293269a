/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_KMOD_H
#define IGT_KMOD_H

#include <stdbool.h>

/*
 * igt_kmod_unload() is left out: it has a second argument in libigt 1.27.1 and
 * lost it later, so a test that calls it builds only against one of the two.
 */
bool igt_kmod_is_loaded(const char *mod_name);
bool igt_kmod_has_param(const char *mod_name, const char *param);
int igt_kmod_load(const char *mod_name, const char *opts);

#endif /* IGT_KMOD_H */
