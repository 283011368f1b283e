#include "config/suggest.h"

#define WORD_MAX 40 /* longer ones are no slips of the finger */

/* Letters in lower case without separators: start_up is startUp is startup. */
struct word {
	char letters[WORD_MAX];
	unsigned n;
};

static bool normalize(struct span text, struct word *word)
{
	word->n = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '_' || text.p[i] == '-')
			continue;
		if (word->n == WORD_MAX)
			return false;
		word->letters[word->n++] = ascii_lower(text.p[i]);
	}
	return true;
}

static unsigned least_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters to insert, remove, replace or swap with their neighbour (optimal string alignment). */
static unsigned edit_distance(const struct word *a, const struct word *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (unsigned i = 0; i <= a->n; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= b->n; j++)
		d[0][j] = j;
	for (unsigned i = 1; i <= a->n; i++) {
		for (unsigned j = 1; j <= b->n; j++) {
			bool same = a->letters[i - 1] == b->letters[j - 1];
			unsigned best = d[i - 1][j - 1] + (same ? 0 : 1);
			best = least_of(best, least_of(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a->letters[i - 1] == b->letters[j - 2] &&
			        a->letters[i - 2] == b->letters[j - 1])
				best = least_of(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[a->n][b->n];
}

struct suggestion suggestion_for(struct span wrong)
{
	struct word word;
	unsigned most = 0;

	if (normalize(wrong, &word))
		most = word.n > 8 ? 3 : word.n > 4 ? 2 : 1;
	return (struct suggestion){ .wrong = wrong, .best = NULL, .distance = most + 1 };
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
	struct word wrong, known;

	if (!normalize(s->wrong, &wrong) || !normalize(span_of(candidate), &known))
		return;
	unsigned distance = edit_distance(&wrong, &known);
	if (distance < s->distance) {
		s->distance = distance;
		s->best = candidate;
	}
}
