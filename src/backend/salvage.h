/*
 * What can still be read from an answer that cannot be parsed, because it is too long to be kept or is not valid JSON:
 * the id that says which call it was for, so that this call ends now and not at its time limit. Guesses nothing: what
 * is not plainly the answer to a request with an integer id is left alone.
 */
#ifndef SLUICE_BACKEND_SALVAGE_H
#define SLUICE_BACKEND_SALVAGE_H

#include "base/span.h"

/*
 * `first` and `last` are the two ends of the text (they may overlap, or be the same). Servers differ: most write the id
 * before the result, the TypeScript SDK writes it last.
 */
bool salvage_id(struct span first, struct span last, uint64_t *id);

#endif
