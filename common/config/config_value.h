/* SPDX-License-Identifier: Apache-2.0 */
/* One option's value: from text, to text, and what may stand there. Not for use outside of this
 * folder. */
#pragma once

#include "common/config/config.h"
#include "common/config/config_table.h"

#define CONFIG_VALUE_MAX 65536 /* bytes of a value's text */
#define CONFIG_ITEMS_MAX 256   /* words of a list */
#define CONFIG_ITEM_MAX  2400  /* bytes of such a word: the name of a mirror and a URL */

/* Read `text` into the option's field; on an error the old value stays. The sentence of the error
 * says only what was expected: callers know where the text stands. */
int config_value_set(struct config *c, const struct config_option *o, struct str text,
	struct err *e);
/* More words for a list. */
int config_value_add(struct config *c, const struct config_option *o, struct str text,
	struct err *e);
void config_value_done(struct config *c, const struct config_option *o);

/* Have both the same value? */
bool config_value_eq(const struct config *a, const struct config *b, const struct config_option *o);
/* Each gets the other's. */
void config_value_swap(struct config *a, struct config *b, const struct config_option *o);

/* As a file would say it. Not for lists. */
void config_value_print(const struct config *c, const struct config_option *o, struct buf *out);
/* "a duration from 1s to 1h": what may stand there. */
void config_value_describe(const struct config_option *o, struct buf *out);

/* An indented line of a file below the list `o`: are these more words for it, or a setting of its
 * own? Words without a = are; in a list of pairs also what begins with NAME=VALUE without blanks,
 * unless NAME is a key of the section. */
bool config_value_continues(const struct config_option *o, struct str line);

/* Append a copy of `item`; false without memory. */
bool config_value_list_add(struct config_list *list, struct str item);
void config_value_list_done(struct config_list *list);
