/* SPDX-License-Identifier: Apache-2.0 */
/* Loads a model from any host as TensorFlow.js does (tfjs-core/src/io/http.ts), and finds what
 * breaks. One file at a time, in the order of the manifest; memory for one model.json and its
 * manifest. */
#pragma once

#include "client/doctor_cache.h"
#include "client/doctor_fetch.h"
#include "common/lint/lint_model.h"
#include "common/model/weightscan.h"

#define DOCTOR_JSON_MAX    (32u << 20) /* bytes of a model.json, as of JSON_LIMITS_MODEL */
#define DOCTOR_SHARD_MAX   (UINT64_C(0x7fffffff) - 1) /* Chromium fetches no body of 2^31-1 bytes */
#define DOCTOR_SURPLUS_MAX (UINT64_C(64) << 20) /* read behind what the manifest describes */

struct doctor_shard {
	uint64_t size;
	const char *looks_like; /* modeljson_sniff() */
	bool certain;
	bool coded; /* came with Content-Encoding */
};

struct doctor {
	const struct run *run;
	struct doctor_host host;
	struct url model;
	bool only_heads;
	struct doctor_report report;
	/* What came of it. */
	struct buf text; /* of model.json, which `json` reads */
	struct modeljson *json; /* NULL when it could not be read */
	struct artifact *artifact;
	char *folder; /* before all paths: "../m@3/"; or NULL */
	enum doctor_cache cache; /* of model.json */
	struct doctor_shard *shards;
	size_t complete; /* shards in front that are there */
	uint64_t bytes;  /* of them */
	bool too_much;   /* more than DOCTOR_SURPLUS_MAX behind the end */
	struct weightscan *scan;
};

/* `run`, `host` but for its report, `model` and `only_heads` are set. Errors: the network's for
 * model.json, interruption, memory. */
int doctor_look(struct doctor *d, struct fault *f);
void doctor_done(struct doctor *d);
#define CLEANUP_DOCTOR CLEANUP(doctor_done)
