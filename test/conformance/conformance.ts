// Runs the Autobahn test suite, a `wstest` on the PATH, against a server and a client of Mooring. Exits with 1 when a case fails.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzClient } from './client.ts';
import { fuzzServer } from './server.ts';
import { type CaseResult, hasFailed, onPath } from './wstest.ts';

const MISSING =
  'there is no wstest on the PATH; it comes with `pip install autobahntestsuite` for Python 2.7, or in the container image crossbario/autobahn-testsuite.';

/** The number of each result: `297 OK, 3 INFORMATIONAL`. */
function summary(results: readonly CaseResult[]): string {
  const counts = new Map<string, number>();
  for (const { behavior } of results) counts.set(behavior, (counts.get(behavior) ?? 0) + 1);
  return [...counts].map(([behavior, count]) => `${count} ${behavior}`).join(', ');
}

/** Prints the results of the suite for one side. Returns whether no case failed. */
function report(side: string, results: readonly CaseResult[]): boolean {
  const failed = results.filter(hasFailed);
  console.log(`${side}: ${results.length} cases: ${summary(results)}; ${failed.length} failed`);
  for (const { id, behavior, behaviorClose } of failed) {
    console.log(`  ${id}: ${behavior}, closing handshake: ${behaviorClose}`);
  }
  return results.length > 0 && failed.length === 0;
}

async function conform(program: string): Promise<boolean> {
  const reports = mkdtempSync(join(tmpdir(), 'mooring-conformance-'));
  console.log(`The reports of the suite: ${reports}`);
  const isServerFine = report('server', await fuzzServer(program, join(reports, 'server')));
  const isClientFine = report('client', await fuzzClient(program, join(reports, 'client')));
  return isServerFine && isClientFine;
}

/** A readable error: a program that is missing or fails is not a bug of this script. */
function explain(error: unknown): false {
  console.error(`conformance: ${error instanceof Error ? error.message : error}`);
  return false;
}

const wstest = onPath('wstest');
const isFine = wstest === undefined ? explain(MISSING) : await conform(wstest).catch(explain);
process.exit(isFine ? 0 : 1);
