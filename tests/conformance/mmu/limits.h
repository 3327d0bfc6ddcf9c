/* SPDX-License-Identifier: MIT */
/* The one place that says what cannot be asked of this QEMU. */
#ifndef LIMITS_H
#define LIMITS_H

#include "guest.h"
#include "model.h"

/* Whether this QEMU has the mistakes of 7.2; 10.0 has not, what is between is not known here. */
bool limits_old(const struct guest *guest);

/* Whether this VA is not asked about. The model's tables must be in the guest's RAM. */
bool limits_leave_out(const struct guest *guest, const struct model *model, uint64_t va);

#endif
