import { isIPv4, isIPv6 } from 'node:net';
import { type Rate, TokenBucket } from '../core/token-bucket.ts';

/** How a dual-stack socket writes an IPv4 address (RFC 4291 §2.5.5.2). */
const MAPPED = '::ffff:';

/**
 * An address without port, brackets and zone, in its canonical form (RFC 5952). An IPv4 address that is mapped into IPv6
 * becomes IPv4.
 *
 * Text that is not an address, for example a name that a proxy made up, is returned unchanged.
 */
export function addressIn(text: string): string {
  if (isIPv4(text)) return text;
  if (text.startsWith(MAPPED) && isIPv4(text.slice(MAPPED.length)))
    return text.slice(MAPPED.length);
  const [, bracketed, before] = /^\s*(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)\s*$/.exec(text) ?? [];
  const [bare = ''] = (bracketed ?? before ?? text.trim()).split('%');
  if (isIPv4(bare)) return bare;
  return isIPv6(bare) ? spelledOnce(bare) : text;
}

function spelledOnce(address: string): string {
  const spelled = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(spelled) ?? [];
  if (high === undefined || low === undefined) return spelled;
  return [high, low]
    .map((group) => Number.parseInt(group, 16))
    .map((group) => `${group >> 8}.${group & 0xff}`)
    .join('.');
}

/**
 * The unit that counts as one peer: an IPv4 address, or the network of an IPv6 address, because one customer usually has
 * all addresses of a network.
 */
export function networkOf(address: string, ipv6PrefixBits: number): string {
  if (!address.includes(':') || !isIPv6(address)) return address;
  const groups = groupsOf(address)
    .slice(0, Math.ceil(ipv6PrefixBits / 16))
    .map((group, index) => group & maskOf(ipv6PrefixBits - 16 * index));
  return `${groups.map((group) => group.toString(16)).join(':')}/${ipv6PrefixBits}`;
}

/** The eight groups of a canonical IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = [], tail = []] = address
    .split('::')
    .map((groups) => (groups === '' ? [] : groups.split(':')));
  const zeros = new Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}

function maskOf(bits: number): number {
  return bits >= 16 ? 0xffff : (0xffff << (16 - bits)) & 0xffff;
}

/** Whether an address always means this machine (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}

/**
 * Limits how often each address connects.
 *
 * A bucket that was not used for as long as it takes to fill is full, and a full bucket can be forgotten. Buckets are therefore
 * kept in two generations, and the older generation is dropped once per fill time. Memory is bounded by the number of addresses
 * that connect within twice the fill time.
 */
export class AddressRates {
  readonly #rate: Rate;
  readonly #fillMs: number;
  #recent = new Map<string, TokenBucket>();
  #older = new Map<string, TokenBucket>();
  #turnedAtMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#fillMs = (1_000 * rate.burst) / rate.perSecond;
    this.#turnedAtMs = nowMs;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#recent.size + this.#older.size;
  }

  /** Takes one token of this address. Returns `false` if none is left. */
  take(address: string, nowMs: number): boolean {
    if (nowMs - this.#turnedAtMs >= this.#fillMs) this.#turn(nowMs);
    const bucket = this.#recent.get(address) ?? this.#revived(address, nowMs);
    return bucket.take(nowMs);
  }

  #turn(nowMs: number): void {
    this.#older = this.#recent;
    this.#recent = new Map();
    this.#turnedAtMs = nowMs;
  }

  #revived(address: string, nowMs: number): TokenBucket {
    const bucket = this.#older.get(address) ?? new TokenBucket(this.#rate, nowMs);
    this.#older.delete(address);
    this.#recent.set(address, bucket);
    return bucket;
  }
}
