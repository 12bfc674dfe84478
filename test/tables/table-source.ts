import { clientTable } from '../../src/chart/tables/client.ts';
import { connectionTable } from '../../src/chart/tables/connection.ts';
import { poolTable } from '../../src/chart/tables/pool.ts';
import { supervisorTable } from '../../src/chart/tables/supervisor.ts';
import { topicLogTable } from '../../src/chart/tables/topic-log.ts';
import { charts } from './charts.ts';
import { type Chart, tableOf } from './table-of.ts';

/** The tables that are checked in. */
export const tables = [connectionTable, clientTable, poolTable, supervisorTable, topicLogTable];

/** The path of the table of a chart. */
export function tableFile({ name }: Chart): string {
  return `src/chart/tables/${name}.ts`;
}

/** The name of a chart in code: `topicLog`. */
function identifierOf({ name }: Chart): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The source of a table, without layout. */
export function tableSource(chart: Chart): string {
  return [
    "import type { ChartTable } from '../table.ts';",
    '',
    `/** Made from \`machines/${chart.name}.ts\` by \`npm run tables\`. */`,
    `export const ${identifierOf(chart)}Table: ChartTable = ${JSON.stringify(tableOf(chart))};`,
    '',
  ].join('\n');
}

/** The files whose tables differ from their machines, even if only in the order of the states. */
export function staleTables(): string[] {
  const kept = tables.map((table) => JSON.stringify(table));
  const stale = charts.filter((chart) => !kept.includes(JSON.stringify(tableOf(chart))));
  return stale.map(tableFile);
}
