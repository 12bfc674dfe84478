import { generateKeyPairSync, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** A key and a self-signed certificate, in PEM. */
export interface SelfSigned {
  readonly key: string;
  readonly cert: string;
}

const tag = { integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, sequence: 0x30 };
const SET = 0x31;
const GENERALIZED_TIME = 0x18;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

const ecdsaWithSha256 = Buffer.from('2a8648ce3d040302', 'hex');
const commonName = Buffer.from('550403', 'hex');
const subjectAltName = Buffer.from('551d11', 'hex');

/** Makes a certificate for one DNS name or IPv4 address, valid for a day around now (X.509, RFC 5280). */
export function selfSigned(name: string): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = der(tag.sequence, der(tag.oid, ecdsaWithSha256));
  const text = der(tag.utf8, Buffer.from(name));
  const subject = der(tag.sequence, der(SET, der(tag.sequence, der(tag.oid, commonName), text)));
  const names = der(tag.octets, der(tag.sequence, alternativeName(name)));
  const extension = der(tag.sequence, der(tag.oid, subjectAltName), names);
  const toBeSigned = der(
    tag.sequence,
    der(VERSION, der(tag.integer, Buffer.of(2))),
    der(tag.integer, Buffer.of(1)),
    algorithm,
    subject,
    der(tag.sequence, time(-DAY_MS), time(DAY_MS)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS, der(tag.sequence, extension)),
  );
  const signature = der(tag.bits, Buffer.of(0), sign('sha256', toBeSigned, privateKey));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: pem(der(tag.sequence, toBeSigned, algorithm, signature)),
  };
}

function alternativeName(name: string): Buffer {
  if (isIPv4(name)) return der(IP_ADDRESS, Buffer.from(name.split('.').map(Number)));
  return der(DNS_NAME, Buffer.from(name));
}

const DAY_MS = 86_400_000;

function time(fromNowMs: number): Buffer {
  const text = new Date(Date.now() + fromNowMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return der(GENERALIZED_TIME, Buffer.from(text));
}

function der(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.of(type, body.length), body]);
  if (body.length < 256) return Buffer.concat([Buffer.of(type, 0x81, body.length), body]);
  return Buffer.concat([Buffer.of(type, 0x82, body.length >> 8, body.length & 0xff), body]);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
