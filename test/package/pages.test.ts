import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drainPlan, supervisorDrain } from '../../src/connection/drain.ts';
import { closeCodeInfo, closeCodes } from '../../src/core/close-code.ts';
import * as defaults from '../../src/core/defaults.ts';
import { bounds, INTEGER_MAX } from '../../src/core/defaults.ts';
import { type AcceptFailureCause, describeFailure } from '../../src/core/failure.ts';
import {
  type CloseCause,
  classifyClose,
  classifyPageClose,
  type Evidence,
  type RefusedMessage,
} from '../../src/core/verdict.ts';
import { resolveOptions } from '../../src/server/options.ts';
import { bombLibraries, bombs } from '../support/bombs.ts';
import {
  declarationOf,
  interfaceMembers,
  type Row,
  read,
  section,
  tableRows,
  unionMembers,
  withoutComments,
} from './repository.ts';

// Goal: the reference pages cannot drift from the code. Method: read names from the source text, let the
// code compute values, and compare both with the tables of the pages.

const optionsPage = read('docs/reference/options.md');
const verdictsPage = read('docs/reference/verdicts.md');
const eventsPage = read('docs/reference/events.md');

const column = (rows: readonly Row[], heading: string) => rows.map((row) => row[heading]);

/** The first column of a section, whatever its heading. */
const names = (page: string, heading?: string) =>
  tableRows(page, heading).map((row) => Object.values(row)[0]);

describe('docs/reference/options.md', () => {
  const declared = [
    ['createSupervisor', 'SupervisorOptions'],
    ['admission', 'AdmissionOptions'],
    ['timeouts', 'Timeouts', 'SupervisorTimeouts'],
    ['heartbeat', 'HeartbeatOptions'],
    ['limits', 'Limits'],
    ['admitted', 'AdmittedOptions'],
    ['natsBus', 'NatsBusOptions'],
    ['attach', 'AttachOptions'],
    ['listen', 'ListenOptions'],
    ['connect', 'ConnectOptions'],
    ['drain', 'DrainOptions'],
  ] as const;

  for (const [heading, name, ...more] of declared) {
    it(`lists every option of ${name} and no others`, () => {
      const members = [name, ...more].flatMap((each) => interfaceMembers(each));
      assert.deepEqual(names(optionsPage, heading), members);
    });
  }

  it('gives the defaults of the code', () => {
    const { admission, ...resolved } = resolveOptions({});
    const { frame, handOver: _, ...plan } = drainPlan({}, supervisorDrain);
    const { invalidMessages, overRate, unmatchedSubprotocols, sameKey } = resolved;
    const { timeouts, heartbeat, limits } = defaults;
    const actual: Record<string, object> = {
      ...{ timeouts, heartbeat, limits, drain: { ...plan, ...frame } },
      createSupervisor: { invalidMessages, overRate, unmatchedSubprotocols, sameKey },
      admission: {
        ...{ origins: admission.origins, refusals: admission.refusals },
        ...defaults.admission,
      },
    };
    for (const [heading, defaults] of Object.entries(actual)) {
      const told = tableRows(optionsPage, heading).map(({ Option, Default = '' }) => [
        Option,
        plainValue(Default),
      ]);
      const wrong = Object.entries(defaults).filter(
        ([name, value]) =>
          !told.some(([option, shown]) => option === name && shown === String(value)),
      );
      assert.deepEqual(wrong, [], heading);
    }
  });

  it('gives the bounds of the code', () => {
    const written = (value: number) => value.toLocaleString('en-US');
    assert.ok(optionsPage.includes(`whole numbers from 1 to ${written(INTEGER_MAX)}`));
    const rows = tableRows(optionsPage);
    for (const [name, [min, max]] of Object.entries(bounds)) {
      const row = rows.find(({ Option }) => Option === name);
      assert.ok(row?.['Meaning']?.includes(`${written(min)} to ${written(max)}`), name);
    }
  });

  it('explains each limit that is wider for a client', () => {
    const page = section(optionsPage, 'limits');
    const missing = Object.values(defaults.clientLimits).filter(
      (value) => !page.includes(value.toLocaleString('en-US')),
    );
    assert.deepEqual(missing, []);
  });

  it('matches the defaults of the doc comments', () => {
    for (const [heading, name] of declared) {
      const documented = documentedDefaults(name);
      for (const { Option = '', Default } of tableRows(optionsPage, heading)) {
        const value = documented.get(Option);
        if (value !== undefined && /^['\d]/.test(value)) assert.equal(Default, value, Option);
      }
    }
  });
});

describe('the doc comments of options', () => {
  const { timeouts, heartbeat, limits, admission, drain } = defaults;
  const { client, backoff, restarts, pool, circuit } = defaults;
  const sections: Readonly<Record<string, object>> = {
    ...{ Timeouts: timeouts, HeartbeatOptions: heartbeat, Limits: limits },
    ...{ AdmissionOptions: admission, DrainOptions: drain, ClientOptions: client },
    ...{ BackoffOptions: backoff, RestartOptions: restarts },
    ...{ PoolOptions: pool, CircuitOptions: circuit },
  };

  for (const [declaration, section] of Object.entries(sections)) {
    it(`have the defaults of the code: ${declaration}`, () => {
      const documented = documentedDefaults(declaration);
      const wrong = Object.entries(section).filter(([option, value]) => {
        const shown = documented.get(option) ?? '0';
        return /^\d/.test(shown) && plainValue(shown) !== String(value);
      });
      assert.deepEqual(wrong, []);
    });
  }
});

/** `50_000` as `50000`, `'same'` as `same`. */
function plainValue(shown: string): string {
  return shown.replaceAll(/['_]/g, '');
}

/** The `@default` tags of an interface, by member. */
function documentedDefaults(name: string): Map<string, string> {
  const tags = declarationOf(name).matchAll(
    /@default ([^\n]*?)(?: \*\/|\n[\s*/]*?)\n? *(?:readonly )?(\w+)\??[:(]/g,
  );
  return new Map([...tags].map(([, value = '', member = '']) => [member, value.trim()]));
}

describe('docs/reference/options.md: what an invalid message costs', () => {
  const rows = tableRows(optionsPage, 'What an invalid message costs');

  it('has a row for each measured message, and a column for each library', () => {
    assert.deepEqual(
      rows.map(({ Message }) => Message),
      bombs.map(({ title }) => title),
    );
    assert.deepEqual(Object.keys(rows[0] ?? {}), ['Message', ...Object.keys(bombLibraries)]);
  });
});

describe('docs/reference/verdicts.md', () => {
  const closes = tableRows(verdictsPage, 'Why a connection closed');
  const failures = tableRows(verdictsPage, 'Why a connection never opened');

  it('lists every field of a verdict and of a failure', () => {
    assert.deepEqual(names(verdictsPage, 'The verdict'), interfaceMembers('CloseVerdict'));
    const failure = interfaceMembers('Failure');
    assert.deepEqual(names(verdictsPage, 'The failure'), failure);
  });

  it('lists every close cause and no others', () => {
    const causes = [...unionMembers('LocalCause'), ...unionMembers('CloseCause')];
    assert.deepEqual(column(closes, 'Cause'), causes);
  });

  it('classifies every close cause as the code does', () => {
    for (const { Cause = '', ...told } of closes) {
      const evidence = closeEvidence[Cause as CloseCause];
      const classify = Cause === 'connection-lost' ? classifyPageClose : classifyClose;
      const { cause, origin, layer, level, retry } = classify(evidence);
      assert.equal(cause, Cause);
      assert.deepEqual([told['Origin'], told['Layer']], [origin, layer], Cause);
      assertToldOrByCode(told['Level'], level, Cause);
      assertToldOrByCode(told['Retry'], retry, Cause);
    }
  });

  it('lists every failure cause and no others', () => {
    const causes = unionMembers('AcceptFailureCause');
    assert.deepEqual(column(failures, 'Cause'), causes);
  });

  it('classifies every failure cause as the code does', () => {
    for (const { Cause = '', Answer = '', Phase, Level, Retry } of failures) {
      const failure = describeFailure(failureEvidence(Cause as AcceptFailureCause, Answer));
      const { phase, level, retry } = failure;
      assert.deepEqual([Phase, Level], [phase, level], Cause);
      assertToldOrByCode(Retry, retry, Cause);
    }
  });

  it('gives every close code the meaning that the code gives it', () => {
    const rows = tableRows(verdictsPage, 'Close codes');
    const expected = [...closeCodes.keys(), 3500, 4409, 4500, 2000].map((code) => {
      const { name, class: group, sendable, level, retry } = closeCodeInfo(code);
      return [name, group, sendable ? 'yes' : 'no', level, retry];
    });
    const told = rows.map((row) => [
      row['Name'],
      row['Class'],
      row['May be sent'],
      row['Level'],
      row['Retry'],
    ]);
    assert.deepEqual(told, expected);
    const codes = [...closeCodes.keys()].map(String);
    const others = ['3000–3999', '4409', '4000–4999', 'others'];
    assert.deepEqual(column(rows, 'Code'), [...codes, ...others]);
  });

  it('has a conclusion in every row', () => {
    const silent = [...closes, ...failures].filter((row) => !row['What to conclude']);
    assert.deepEqual(silent, []);
  });
});

function assertToldOrByCode(told: string | undefined, actual: string, cause: string): void {
  if (told !== 'by code' && told !== 'by status') assert.equal(told, actual, cause);
}

const answered = (intent: Evidence['intent'], code: number): Evidence => {
  const frame = { code, reason: '' };
  return { intent, sent: frame, received: frame, clean: true };
};
const refused = (cause: RefusedMessage): Evidence => ({
  protocolError: new Error(cause),
  refused: cause,
});
const systemError = (code: string) => Object.assign(new Error(code), { code });

/** An ending of each cause, as the page describes it: the peer answers when it can. */
const closeEvidence: Record<CloseCause, Evidence> = {
  close: answered('close', 1000),
  drain: answered('drain', 1001),
  terminate: { intent: 'terminate' },
  fail: answered('fail', 1011),
  'handler-error': answered('handler-error', 1011),
  crash: { intent: 'crash', handlerError: new Error('crash') },
  'welcome-timeout': answered('welcome-timeout', 1011),
  'handler-stalled': answered('handler-stalled', 1011),
  'reader-too-slow': answered('reader-too-slow', 1005),
  expired: answered('expired', 3000),
  'invalid-message': answered('invalid-message', 1008),
  'message-rate': answered('message-rate', 1008),
  'slow-consumer': answered('slow-consumer', 1013),
  'missed-messages': answered('missed-messages', 1013),
  replaced: answered('replaced', 4409),
  silent: answered('silent', 4000),
  'heartbeat-timeout': { intent: 'heartbeat-timeout' },
  'ping-flood': { intent: 'ping-flood' },
  'peer-close': { received: { code: 1000, reason: '' }, clean: true },
  'close-timeout': { intent: 'close', forced: true },
  'protocol-error': { protocolError: new Error('bad frame') },
  'message-limit': refused('message-limit'),
  'message-timeout': refused('message-timeout'),
  overload: refused('overload'),
  'taken-away': { taken: new Error('taken'), ended: true },
  'send-error': { sendError: new Error('write failed') },
  'tcp-fin': { ended: true },
  'tcp-fin-backlog': { ended: true, forced: true },
  'tcp-reset': { socketError: systemError('ECONNRESET') },
  'tcp-timeout': { socketError: systemError('ETIMEDOUT') },
  'tcp-error': { socketError: systemError('EBADF') },
  'connection-lost': {},
  unknown: {},
};

/** The page gives the status of the answer, or none. The retry follows from it. */
function failureEvidence(
  cause: AcceptFailureCause,
  answer: string,
): Parameters<typeof describeFailure>[0] {
  const about = { address: '', path: '/' };
  const code = { 'tcp-reset': 'ECONNRESET', 'tcp-timeout': 'ETIMEDOUT', 'tcp-error': 'EBADF' };
  if (cause in code)
    return { ...about, socketError: systemError(code[cause as keyof typeof code]) };
  if (cause === 'crash') return { ...about, crash: new Error('crash') };
  if (cause === 'taken-away') return { ...about, taken: new Error('taken') };
  if (answer === '–' && cause === 'abandoned') return about;
  const status = Number.parseInt(answer, 10) || 503;
  return { ...about, refusal: { cause, status, body: '' } };
}

describe('docs/guide/troubleshooting.md', () => {
  const known = ['LocalCause', 'CloseCause', 'AcceptFailureCause', 'DialFailureCause'].flatMap(
    unionMembers,
  );
  const entries = read('docs/guide/troubleshooting.md').match(/^### `.*$/gm) ?? [];
  const causesOf = (entry: string) => entry.match(/[\w-]+/g) ?? [];

  it('has one entry for every cause, and no other entry', () => {
    assert.deepEqual(entries.flatMap(causesOf).toSorted(), [...new Set(known)].toSorted());
  });

  it('is linked from every row about a cause', () => {
    const anchors = new Map(
      entries.flatMap((entry) =>
        causesOf(entry).map((cause) => [cause, causesOf(entry).join('-')]),
      ),
    );
    const tables = [
      [verdictsPage, '../guide/', 'Why a connection closed'],
      [verdictsPage, '../guide/', 'Why a connection never opened'],
      [read('docs/guide/client.md'), '', 'Why an attempt failed'],
    ] as const;
    for (const [page, folder, heading] of tables) {
      const text = section(page, heading);
      const missing = names(page, heading).filter((cause = '') => {
        const target = `${folder}troubleshooting.md#${anchors.get(cause)}`;
        return !text.includes(`\n| [\`${cause}\`](${target}) `);
      });
      assert.deepEqual(missing, [], heading);
    }
  });
});

describe('docs/guide/security.md', () => {
  const { admission, timeouts, limits } = defaults;
  const groups: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    ...{ admission, timeouts: { ...timeouts }, limits: { ...limits } },
  };
  const rows = tableRows(read('docs/guide/security.md')).filter((row) => row['Option']);

  it('gives the defaults of the code', () => {
    for (const { Option = '', Default = '' } of rows) {
      const told: readonly string[] = Default.match(/\d+(?:,\d{3})*(?: s| MiB)?/g) ?? [];
      for (const [option, group = '', name = ''] of Option.matchAll(/(\w+)\.(\w+)/g)) {
        const value = groups[group]?.[name] ?? Number.NaN;
        assert.ok(told.includes(written(name, value)), option);
      }
    }
  });
});

/** A default in readable form: `10 s`, `1 MiB`, `5,000`. */
function written(option: string, value: number): string {
  if (option.endsWith('Ms')) return `${value / 1_000} s`;
  if (/Bytes/.test(option)) return `${value / 1_048_576} MiB`;
  return value.toLocaleString('en-US');
}

describe('docs/guide/client.md', () => {
  const page = read('docs/guide/client.md');

  it('lists every option and no others', () => {
    const members = ['ClientOptions', 'NodeClientOptions'].flatMap(interfaceMembers);
    assert.deepEqual(names(page, 'Options'), members);
  });

  it('lists every option of a heartbeat and no others', () => {
    const members = ['HeartbeatOptions', 'ClientHeartbeatOptions'].flatMap(interfaceMembers);
    assert.deepEqual(names(page, 'Heartbeats of the application'), members);
  });

  it('lists every cause of a failure and no others', () => {
    assert.deepEqual(
      names(page, 'Why an attempt failed').toSorted(),
      unionMembers('DialFailureCause').toSorted(),
    );
  });

  it('lists every state', () => {
    assert.deepEqual(names(page, 'One attempt at a time'), unionMembers('ClientState'));
  });

  it('gives the defaults of the code', () => {
    for (const row of tableRows(page, 'Options')) {
      const { Option = '', Default = '' } = row;
      const { backoff, restarts, client } = defaults;
      const actual = { backoff, restarts, ...client }[Option];
      if (actual === undefined) continue;
      const told = Default.replaceAll('_', '').replaceAll(/(\w+):/g, '"$1":');
      assert.deepEqual(JSON.parse(told), actual, Option);
    }
  });
});

describe('docs/guide/pool.md', () => {
  const page = read('docs/guide/pool.md');

  it('lists every option that a client lacks, and no others', () => {
    assert.deepEqual(names(page, 'Options'), interfaceMembers('PoolOptions'));
  });

  it('gives the defaults of the code', () => {
    const told = tableRows(page, 'Options').map(({ Default = '' }) =>
      JSON.parse(Default.replaceAll('_', '').replaceAll(/(\w+):/g, '"$1":')),
    );
    assert.deepEqual(told, [defaults.pool.size, defaults.circuit]);
  });

  it('lists every state', () => {
    assert.deepEqual(names(page, 'States'), unionMembers('PoolState'));
  });
});

describe('docs/reference/events.md', () => {
  const [, news = ''] =
    /type UntimedEvent([\s\S]*?)export type/.exec(withoutComments(read('src/core/events.ts'))) ??
    [];
  const declared = news
    .split("readonly type: '")
    .slice(1)
    .map((member) => {
      const [type = '', ...rest] = member.split("'");
      const fields = [...rest.join('').matchAll(/readonly (\w+)/g)].map(([, field = '']) => field);
      if (member.includes('OfConnection')) fields.push('connection');
      return { type, fields: fields.sort() };
    });

  it('lists every event with its fields and no others', () => {
    const told = tableRows(eventsPage)
      .filter((row) => row['Event'] !== undefined)
      .map(({ Event: type, 'Further fields': fields = '' }) => {
        return { type, fields: fields.match(/\w+/g)?.sort() ?? [] };
      });
    assert.deepEqual(told, declared);
  });

  it('lists every handler and no others', () => {
    const handlers = unionMembers('HandlerName');
    assert.deepEqual(names(eventsPage, 'Handlers'), handlers);
  });

  it('lists every handler of a client and no others', () => {
    const handlers = unionMembers('ClientHandlerName');
    assert.deepEqual(names(eventsPage, 'Handlers of a client'), handlers);
  });
});
