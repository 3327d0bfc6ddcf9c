/* The least a user of libpgtsim does: include it, call it. */
#include <stdio.h>

#include <pgtsim/pgtsim.h>

int main(void)
{
	size_t count = 0;

	if (!pgtsim_regimes(&count) || !count)
		return 1;
	printf("libpgtsim %s: %zu translation regimes\n", PGTSIM_VERSION, count);
	return 0;
}
