/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate of [tls]: judged with the configuration, and read anew while the daemon runs. */
#pragma once

#include "common/config/config.h"
#include "server/http/httpd.h"

/* Where an address of http.listen has TLS there must be a certificate and its key, and where there
 * are any they must be of use. What is no error is logged. ERR_CONFIG; blocks on the disk. */
int certificate_check(const struct config *c, struct err *e);
/* Read it anew if it has changed, or `anyway`; log what came of it. For one thread. */
void certificate_refresh(struct httpd *h, bool anyway);
