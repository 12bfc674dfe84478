import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { INTEGER_MAX } from '../core/defaults.ts';
import { messageOf, toError } from '../core/errors.ts';
import { hasMethods } from '../core/methods.ts';
import {
  callback,
  flag,
  group,
  integer,
  must,
  optional,
  type Report,
  type Resolved,
  type Rule,
  text,
} from '../core/option-rules.ts';
import { mustBeOneOf } from '../core/wording.ts';
import type { ConnectOptions } from '../transport/connect-options.ts';

const versions: readonly string[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

const material = 'must be text or bytes, or a list of them';

const rules = {
  agent: optional<NonNullable<ConnectOptions['agent']>>(
    (given) => hasMethods(given, ['addRequest']),
    'must be an agent, like those of node:http and node:https',
  ),
  createConnection: callback<NonNullable<ConnectOptions['createConnection']>>(),
  lookup: callback<NonNullable<ConnectOptions['lookup']>>(),
  family: optional<0 | 4 | 6>((given) => [0, 4, 6].includes(given as number), 'must be 0, 4 or 6'),
  autoSelectFamily: flag(undefined),
  autoSelectFamilyAttemptTimeout: integer(undefined, [1, INTEGER_MAX]),
  localAddress: optional<string>(
    (given) => typeof given === 'string' && isIP(given) !== 0,
    'must be an IP address',
  ),
  servername: text(undefined),
  ca: optional<NonNullable<ConnectOptions['ca']>>(isPlainMaterial, material),
  cert: optional<NonNullable<ConnectOptions['cert']>>(isPlainMaterial, material),
  key: optional<NonNullable<ConnectOptions['key']>>(isMaterial, material),
  pfx: optional<NonNullable<ConnectOptions['pfx']>>(isMaterial, material),
  passphrase: text(undefined),
  rejectUnauthorized: flag(undefined),
  checkServerIdentity: callback<NonNullable<ConnectOptions['checkServerIdentity']>>(),
  minVersion: must<ConnectOptions['minVersion']>(
    undefined,
    (given) => versions.includes(given as string),
    (given) => mustBeOneOf(versions, given),
  ),
  ciphers: text(undefined),
} satisfies Record<keyof ConnectOptions, Rule<unknown>>;

/** Text, bytes, or a list of them. */
function isPlainMaterial(given: unknown): boolean {
  return (Array.isArray(given) ? [...given] : [given]).every(isContent);
}

function isContent(given: unknown): given is string | NodeJS.ArrayBufferView {
  return typeof given === 'string' || ArrayBuffer.isView(given);
}

/** Text, bytes, or a list that may also hold objects of text or bytes with a passphrase. */
function isMaterial(given: unknown): boolean {
  if (!Array.isArray(given)) return isContent(given);
  return [...given].every((each) => isContent(each) || isWithPassphrase(each));
}

function isWithPassphrase(given: unknown): boolean {
  const { pem, buf = pem } = Object(given);
  return isContent(buf);
}

/** The TLS options to try, one after another, each with the options that it needs. */
const trials = [
  ['ciphers'],
  ['ca'],
  ['cert'],
  ['key', 'passphrase'],
  ['pfx', 'passphrase'],
  ['key', 'cert', 'passphrase'],
] as const satisfies readonly (readonly (keyof SecureContextOptions)[])[];

const checked = group(rules, (options, report) => {
  if (options.agent !== undefined && options.createConnection !== undefined) {
    report('has no effect with an agent', 'createConnection');
  }
  checkAuthorities(options.ca, report);
  checkSecrets(options, report);
  checkPair(options, report);
});

const none: ConnectOptions = Object.freeze({});

/** The rule for connect options. It returns a copy, because later changes would not be checked. */
export const connectRule: Rule<ConnectOptions> = Object.assign(
  (given: unknown, report: Report): ConnectOptions => {
    if (given === undefined) return none;
    const options = Object.entries(checked(given, report));
    // Node.js would use an undefined property instead of its default.
    return Object.freeze(Object.fromEntries(options.filter(([, value]) => value !== undefined)));
  },
  { names: Object.keys(rules) },
);

/** Node.js accepts any text as `ca`, leaves out what it cannot read, and then trusts no server. */
function checkAuthorities(ca: ConnectOptions['ca'], report: Report): void {
  const all = ca === undefined ? [] : [ca].flat();
  if (!all.every((each) => hasCertificates(textIn(each)))) {
    const hint = all.some(isPath) ? NO_PATH : '';
    report(`cannot be used: it is not a complete certificate in PEM${hint}`, 'ca');
  }
}

/** Whether the material is the name of a file, which is a common mistake. PEM and PKCS #12 are never this short. */
function isPath(material: unknown): boolean {
  return typeof material === 'string' && material.length < 256 && !material.includes('\n');
}

const NO_PATH = '; pass the contents of the file, not its path';

/**
 * Node.js accepts `cert` or `key` alone, and then sends no certificate. An agent or `createConnection` may bring the
 * other.
 */
function checkPair(options: Resolved<typeof rules>, report: Report): void {
  const { agent, createConnection, pfx, cert, key } = options;
  if (agent !== undefined || createConnection !== undefined || pfx !== undefined) return;
  if (cert !== undefined && key === undefined) report('has no effect without connect.key', 'cert');
  if (key !== undefined && cert === undefined) report('has no effect without connect.cert', 'key');
}

/** Reads only the first certificate, because a bundle has hundreds. The others must be complete. */
function hasCertificates(pem: string): boolean {
  const [begins, ends] = ['BEGIN', 'END'].map(
    (word) => pem.match(new RegExp(`-----${word} [A-Z0-9 ]*CERTIFICATE-----`, 'g'))?.length ?? 0,
  );
  if (begins === 0 || begins !== ends) return false;
  try {
    return new X509Certificate(pem).serialNumber !== '';
  } catch {
    return false;
  }
}

function textIn(material: unknown): string {
  if (typeof material === 'string') return material;
  const { buffer, byteOffset, byteLength } = material as Uint8Array;
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}

/** Lets Node.js read certificates and keys, and reports the first that it cannot use. */
function checkSecrets(options: Resolved<typeof rules>, report: Report): void {
  for (const names of trials) {
    const [name] = names;
    if (options[name] === undefined) continue;
    const problem = problemOf(Object.fromEntries(names.map((each) => [each, options[each]])));
    if (problem === null) continue;
    report(`cannot be used: ${described(problem)}${hintFor(names, options)}`, name);
    return;
  }
}

const MISMATCH = 'key values mismatch';

function described(problem: string): string {
  return problem.includes(MISMATCH) ? 'it is not the key of connect.cert' : problem;
}

function problemOf(options: SecureContextOptions): string | null {
  try {
    // Without the empty list, Node.js would load all authorities that it knows.
    createSecureContext({ ca: [], ...options });
    return null;
  } catch (thrown) {
    return messageOf(toError(thrown));
  }
}

/** The messages of OpenSSL do not mention the passphrase of an encrypted key, nor that a text is a path. */
function hintFor(
  [name, other]: readonly (keyof SecureContextOptions)[],
  options: Resolved<typeof rules>,
): string {
  const { passphrase } = options;
  if ([options[name as 'cert']].flat().some(isPath)) return NO_PATH;
  if (other !== 'passphrase') return '';
  return passphrase === undefined
    ? '; if it is encrypted, it needs connect.passphrase'
    : '; check connect.passphrase';
}
