/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeds or scenario files in, verdicts out; many seeds are shared among processes. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define JOBS_MAX   64
#define SEEDS_FULL 1000 /* so many reach every counter */

struct options {
	uint64_t first, count;
	unsigned jobs;
	bool has_seed, is_tracing, is_verbose, is_printing;
	const char *pcap, *corpus;
};

/* What the processes have in common. */
struct share {
	struct tcp_stats stats;
	uint64_t bytes, failed, done;
};

static bool run_scenario(const struct options *o, const struct sim_scenario *scenario, const char *name,
			 struct share *share)
{
	struct sim_verdict verdict;

	sim_run(scenario, o->is_tracing, o->pcap, &share->stats, &verdict);
	share->bytes += verdict.bytes;
	share->done++;
	share->failed += !verdict.is_ok;
	if (!verdict.is_ok)
		printf("%s: %s (at %.6f ms, step %" PRIu64 ")\n", name, verdict.why,
		       (double)verdict.now_ns / 1e6, verdict.steps);
	return verdict.is_ok;
}

static void run_seeds(const struct options *o, unsigned job, struct share *share)
{
	for (uint64_t i = job; i < o->count; i += o->jobs) {
		struct sim_scenario scenario;
		char name[40];

		snprintf(name, sizeof(name), "seed %" PRIu64, o->first + i);
		sim_scenario_choose(&scenario, o->first + i);
		if (o->is_printing) {
			printf("# generator %d, %s\n", SIM_GENERATOR, name);
			sim_scenario_print(&scenario, stdout);
		}
		run_scenario(o, &scenario, name, share);
		fflush(stdout);
	}
}

static void add(struct share *total, const struct share *part)
{
#define ADD(name, doc) total->stats.name += part->stats.name;
	TCP_STATS(ADD)
#undef ADD
	total->bytes += part->bytes;
	total->failed += part->failed;
	total->done += part->done;
}

/* A process that does not come back has failed, and so have the seeds that it did not do. */
static void run_jobs(const struct options *o, struct share *total)
{
	struct share *shares =
	    mmap(NULL, JOBS_MAX * sizeof(*shares), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[JOBS_MAX] = {0};

	if (shares == MAP_FAILED)
		abort();
	fflush(stdout);
	for (unsigned job = 0; job < o->jobs; job++) {
		pids[job] = o->jobs > 1 ? fork() : -1;
		if (pids[job] > 0)
			continue;
		run_seeds(o, job, &shares[job]);
		if (pids[job] == 0)
			_exit(0);
	}
	for (unsigned job = 0; job < o->jobs; job++) {
		int status = 0;

		if (pids[job] > 0 && (waitpid(pids[job], &status, 0) < 0 || status != 0)) {
			printf("process %u ended with status %d\n", job, status);
			total->failed++;
		}
		add(total, &shares[job]);
	}
	munmap(shares, JOBS_MAX * sizeof(*shares));
}

static void run_file(const struct options *o, const char *path, struct share *total)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct sim_scenario scenario;
	bool is_readable = sim_scenario_read(&scenario, path) == 0;
	bool is_ok = is_readable && run_scenario(o, &scenario, path, total);

	total->failed += !is_readable;
	printf("%s sim/%s\n", is_ok ? "ok" : "not ok", name);
}

static int is_scenario(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".sim") == 0;
}

static int run_corpus(const struct options *o, struct share *total)
{
	struct dirent **entries;
	int count = scandir(o->corpus, &entries, is_scenario, alphasort);

	if (count < 0) {
		fprintf(stderr, "%s: %s\n", o->corpus, strerror(errno));
		return -errno;
	}
	for (int i = 0; i < count; i++) {
		char *path;

		if (asprintf(&path, "%s/%s", o->corpus, entries[i]->d_name) < 0)
			abort();
		run_file(o, path, total);
		free(path);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static void print_stats(const struct tcp_stats *t)
{
#define PRINT(name, doc) printf("  %-24s %" PRIu64 "\n", #name, t->name);
	TCP_STATS(PRINT)
#undef PRINT
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--seed N] [--seeds N] [--jobs N] [--trace] [--print] [--stats] [--pcapng FILE]\n"
		"       [--corpus FOLDER] [SCENARIO...]\n"
		"  --seed N         this seed, or the first of several\n"
		"  --seeds N        so many seeds\n"
		"  --jobs N         shared among so many processes\n"
		"  --print          the scenario that a seed means, as a file\n"
		"  --corpus FOLDER  all scenarios (*.sim) of a folder, before the seeds\n",
		program);
	return 2;
}

static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {{"seed", required_argument, NULL, 's'},
					      {"seeds", required_argument, NULL, 'n'},
					      {"jobs", required_argument, NULL, 'j'},
					      {"pcapng", required_argument, NULL, 'w'},
					      {"corpus", required_argument, NULL, 'c'},
					      {"trace", no_argument, NULL, 't'},
					      {"stats", no_argument, NULL, 'v'},
					      {"print", no_argument, NULL, 'p'},
					      {NULL, 0, NULL, 0}};
	bool has_count = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o->first = strtoull(optarg, NULL, 0);
			o->has_seed = true;
			break;
		case 'n':
			o->count = strtoull(optarg, NULL, 0);
			has_count = true;
			break;
		case 'j':
			o->jobs = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'w':
			o->pcap = optarg;
			break;
		case 'c':
			o->corpus = optarg;
			break;
		case 't':
			o->is_tracing = true;
			break;
		case 'v':
			o->is_verbose = true;
			break;
		case 'p':
			o->is_printing = true;
			break;
		default:
			return false;
		}
	}
	if (!has_count)
		o->count = o->has_seed ? 1 : optind < argc ? 0 : 1000;
	/* What is printed about one run is not to be mixed with another. */
	if (o->is_tracing || o->pcap || o->is_printing || o->count < 2)
		o->jobs = 1;
	return o->jobs >= 1 && o->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
	struct options o = {.first = 1, .jobs = 1};
	struct share total = {.bytes = 0};

	if (!parse(&o, argc, argv))
		return usage(argv[0]);
	for (int i = optind; i < argc; i++)
		run_file(&o, argv[i], &total);
	if (o.corpus && run_corpus(&o, &total) != 0)
		return 1;
	run_jobs(&o, &total);
	if (o.is_verbose)
		print_stats(&total.stats);
	if (o.count >= SEEDS_FULL)
		total.failed += sim_counters_missing(&total.stats);
	printf("sim: %" PRIu64 " runs, %" PRIu64 " bytes delivered, %" PRIu64 " failed\n", total.done,
	       total.bytes, total.failed);
	if (o.count > 0 && (o.corpus || o.count > 1))
		printf("%s sim/%" PRIu64 "-seeds\n", total.failed ? "not ok" : "ok", o.count);
	return total.failed > 0;
}
