// Goal: the only sign of DNS rebinding that a server can see causes one warning, and no other request
// causes it. Method: a process of its own, because a warning appears once in a process; first every case
// that must not warn.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { AdmissionOptions } from '../../src/index.ts';
import { Premises } from '../support/before-open-premises.ts';
import { until } from '../support/until.ts';

let premises: Premises;
const warnings: (Error & { code?: string })[] = [];
process.on('warning', (warning) => warnings.push(warning));

afterEach(() => premises.close());

const rebound = { Host: 'evil.example:3000', Origin: 'http://evil.example:3000' };

async function ask(admission: Partial<AdmissionOptions>, headers: Record<string, string>) {
  premises = await Premises.start({ admission });
  const peer = await premises.ask({ headers });
  await until(() => peer.status !== 0, 'it is answered');
}

describe('admission: a name that may have been rebound', { timeout: 60_000 }, () => {
  const harmless: readonly [string, Partial<AdmissionOptions>, Record<string, string>][] = [
    ['hosts are listed', { hosts: ['evil.example:3000'] }, rebound],
    ['hosts are any on purpose', { hosts: '*' }, rebound],
    ['origins are listed', { origins: ['http://evil.example:3000'] }, rebound],
    ['there is no Origin', {}, { Host: 'evil.example' }],
    ...['localhost:3000', 'app.localhost:3000', '127.0.0.1:3000', '127.1.2.3', '[::1]:3000'].map(
      (Host): [string, object, Record<string, string>] => [
        `the name is ${Host}`,
        {},
        { Host, Origin: `http://${Host}` },
      ],
    ),
  ];
  for (const [title, admission, headers] of harmless) {
    it(`causes no warning where ${title}`, async () => {
      await ask(admission, headers);
      assert.deepEqual(warnings, []);
    });
  }

  it('causes one warning, with the beginning of the name and the remedy', async () => {
    const Host = `evil.example${'.a'.repeat(500)}`;
    await ask({}, { Host, Origin: `http://${Host}` });
    await until(() => warnings.length > 0, 'there is a warning');
    const before = premises.service.of('connection.opened').length;
    await premises.open({ headers: rebound });
    await until(() => premises.service.of('connection.opened').length > before, 'another came');
    const [warning] = warnings;
    assert.equal(warnings.length, 1);
    const { name, code, message } = warning ?? assert.fail('there is a warning');
    assert.deepEqual([name, code], ['MooringWarning', 'MOORING_DNS_REBINDING']);
    assert.ok(message.length < 600, `${message.length} characters`);
    assert.match(message, /evil\.example\.a.*…\. Set admission\.hosts.*DNS rebinding/);
  });
});
