/* SPDX-License-Identifier: MIT */
/* json: the page's one answer, written piece by piece. It stays valid until the next begin(). */
#ifndef PGTSIM_WEB_JSON_H
#define PGTSIM_WEB_JSON_H

#include <stdint.h>

#include <pgtsim/dump.h>

/* Text as it is, and text inside of quotes: both can be a printer's. */
void put(void *ctx, const char *text);
void put_quoted(void *ctx, const char *text);
extern const struct pgtsim_printer quoted;

/* A comma if one is due; then what follows is an item, or the inside of a new list. */
void item(const char *text);
void end(const char *text);
void key(const char *name);
void text_item(const char *text);
void number_item(double number);
void hex_item(uint64_t number);
void text_field(const char *name, const char *text);
void number_field(const char *name, double number);
void hex_field(const char *name, uint64_t number);
void list(const char *name);

/* The answer is an object: begin() opens it, answer() closes it. */
void begin(void);
const char *answer(void);

/* Memory ran out: answer() says that instead. */
void json_lost(void);

#endif
