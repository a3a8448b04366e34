import { expect, test } from 'vitest'
import { agentSchema } from './agent.ts'
import { parseConfigDocument } from './document.ts'
import { checkConfig } from './load.ts'

function check(text: string) {
  return checkConfig(agentSchema, { document: parseConfigDocument('agent.yaml', text), env: {}, flags: {} })
}

test.for([
  'node: a\nhub: http://h\n',
  'node: a\nsources:\n  datasets: { folder: /share }\n',
  'node: a\noperations: { listen: 0.0.0.0:8471 }\n',
  'node: a\noperations: {}\n',
])('%j is a way to run a node', (text) => {
  expect(check(text)).not.toHaveProperty('issues')
})

test.for([
  ['node: a\n', /the setting "hub" is missing/],
  ['node: a\nhub: http://h\noperations: {}\n', /"operations" .*for a node without a hub/],
  ['node: a\nhub: http://h\nsources:\n  t: { folder: x }\n', /"sources" .*for a node without a hub/],
  ['node: a\noperations: {}\nsharedBlobs: /b\n', /"sharedBlobs" .*with a hub only/],
  ['node: a\noperations: {}\npeerListen: 127.0.0.1:1\n', /"peerListen" .*with a hub only/],
  ['node: a\noperations: {}\nbus: { kind: amqp, url: amqp://b, passwordFile: p }\n', /"bus" .*with a hub only/],
  ['node: a\nhub: http://h\nbus: { kind: amqp, url: "amqp://u:canary@b", passwordFile: p }\n', /"bus.url" takes amqp:/],
  ['node: a\nhub: http://h\nbus: { kind: kafka }\n', /"bus.kind" takes amqp, stomp/],
  ['node: a\nhub: http://h\nbus: { kind: stomp }\n', /"bus.url" is missing/],
  [
    'node: a\nhub: http://h\nbus: { kind: stomp, url: "stomp://u:canary@b", passwordFile: p }\n',
    /"bus.url" takes stomp:/,
  ],
] as const)('%j is a mistake', ([text, message]) => {
  const checked = check(text)
  expect('issues' in checked && checked.issues[0]).toMatchObject({
    message: expect.stringMatching(message),
    line: expect.any(Number),
  })
  expect(JSON.stringify(checked)).not.toContain('canary')
})
