import * as defaults from '../core/defaults.ts';
import { group, integers } from '../core/option-rules.ts';

/** How long a bus keeps the messages of durable topics, as an option. */
export const retentionRule = group(integers(defaults.retention));
