import { GaplessRun } from '../../src/bus/gapless-run.ts';
import { Anchor } from '../../src/bus/nats/log/anchor.ts';
import { Appender } from '../../src/bus/nats/log/appender.ts';
import { TopicLog } from '../../src/bus/topic-log.ts';
import type { Entry } from '../../src/core/bus-log.ts';

/** Faults that are planted into the nodes of a run of chaos, which must find each. */
export const plants: Readonly<Record<string, () => void>> = {
  /** Every entry is taken for the next one, and the end of the log is never looked at. */
  'gap detection': () => {
    const { hear } = GaplessRun.prototype;
    GaplessRun.prototype.hear = function (entry: Entry) {
      return hear.call(this, { ...entry, prev: this.top.offset });
    };
    TopicLog.prototype.scheduleCheck = () => {};
  },
  /** A log that has lost its past keeps its name. */
  fence: () => {
    Object.assign(Anchor.prototype, { saw: () => true, moveTo: () => {} });
  },
  /** Each append has a name of its own for JetStream. */
  'de-duplication': () => {
    const { append } = Appender.prototype;
    let count = 0;
    Appender.prototype.append = function (subject, token, entry, signal) {
      count += 1;
      return append.call(this, subject, `${token}${count}`, entry, signal);
    };
  },
};
