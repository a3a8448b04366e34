/*
 * One machine of Digital Rebar's cluster pattern, by the requests that its command line makes: looks who leads, and claims it as long as
 * nobody does. Says whether it won.
 *
 *     node drp-machine.ts URL TOKEN UUID PROFILE_TOKEN PROFILE
 */
import { setTimeout as sleep } from 'node:timers/promises'

const [url = '', token = '', uuid = '', profileToken = '', profile = ''] = process.argv.slice(2)

async function ask(method: string, path: string, by: string, body?: unknown): Promise<Response> {
  return fetch(`${url}/api/v3/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${by}`,
      accept: 'application/json',
      'cache-control': 'no-store',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

async function leader(): Promise<unknown> {
  return (await ask('GET', `machines/${uuid}/params/my/leader?aggregate=true`, token)).json()
}

let won = false
for (let seen = await leader(); seen === 'none'; seen = await leader()) {
  await ask('GET', 'params/my/leader', profileToken)
  const path = '/my~1leader'
  const patch = [
    { op: 'test', path, from: '', value: seen },
    { op: 'replace', path, from: '', value: uuid },
  ]
  won = (await ask('PATCH', `profiles/${profile}/params`, profileToken, patch)).ok
  if (won) break
  await sleep(200)
}
const done = await ask('POST', `profiles/${profile}/params/done/${uuid}`, profileToken, won)
if (!done.ok) throw new Error(await done.text())
process.stdout.write(won ? 'won\n' : 'followed\n')
