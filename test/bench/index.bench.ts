import { benchAccept } from './accept.ts';
import { printRows } from './row.ts';

const ROUNDS = 5;

printRows(await benchAccept(ROUNDS));
