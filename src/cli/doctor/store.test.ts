import { expect, test } from 'vitest'
import type { StoreLook } from '../../app/store-look.ts'
import {
  alarmsFinding,
  clocksFinding,
  fileFinding,
  leaderFinding,
  membersFinding,
  revisionsFinding,
  roomFinding,
  walFinding,
} from './store.ts'

const GIB = 1024 ** 3
type Member = StoreLook['members'][number]
const good: Member = { url: 'a', version: '3.4', isLeader: true, revision: 5000, dbBytes: 1e6, usedBytes: 1e5 }
const follower: Member = { ...good, url: 'b', isLeader: false }
const away: Member = { url: 'c', error: 'refused' }
const look = (members: readonly Member[], alarms: readonly string[] = []): StoreLook => ({
  revision: 5000,
  members,
  alarms,
})

test.for([
  ['all members answer', membersFinding(look([good, follower])), 'ok'],
  ['one of three is away', membersFinding(look([good, follower, away])), 'warn'],
  ['two of three are away', membersFinding(look([good, away, away])), 'fail'],
  ['one leads', leaderFinding(look([good, follower])), 'ok'],
  ['none of those named leads', leaderFinding(look([follower, follower])), 'fail'],
  ['none of those that answer leads', leaderFinding(look([follower, away])), 'warn'],
  ['no alarm', alarmsFinding(look([good])), 'ok'],
  ['no space', alarmsFinding(look([good], ['NOSPACE of 1'])), 'fail'],
  ['room', roomFinding(look([good])), 'ok'],
  ['little room, by default', roomFinding(look([{ ...good, dbBytes: 1.5 * GIB }])), 'warn'],
  ['room, by its own quota', roomFinding(look([{ ...good, dbBytes: 1.5 * GIB, quotaBytes: 8 * GIB }])), 'ok'],
  ['hardly any room', roomFinding(look([{ ...good, dbBytes: 1.9 * GIB }, away])), 'fail'],
  ['a member is close behind', revisionsFinding(look([good, { ...follower, revision: 4500 }])), 'ok'],
  ['a member lags', revisionsFinding(look([good, { ...follower, revision: 10 }])), 'warn'],
  ['clocks agree', clocksFinding([1000, 2000].map((ms) => ({ url: 'h', ms }))), 'ok'],
  ['clocks are apart', clocksFinding([1000, 9000].map((ms) => ({ url: 'h', ms }))), 'warn'],
  ['the file is whole', fileFinding({ path: 'p', bytes: 1, walBytes: 0, state: 'sound' }), 'ok'],
  ['the file is held', fileFinding({ path: 'p', bytes: 1, walBytes: 0, state: 'running' }), 'ok'],
  ['the file is damaged', fileFinding({ path: 'p', bytes: 1, walBytes: 0, state: 'damaged' }), 'fail'],
  ['the file is nearly full', fileFinding({ path: 'p', bytes: 3 * GIB, walBytes: 0, state: 'sound' }), 'warn'],
  ['its log grew', walFinding({ path: 'p', bytes: 1, walBytes: GIB, state: 'running' }), 'warn'],
] as const)('of a store where %s', ([, finding, verdict]) => {
  expect(finding.verdict).toBe(verdict)
  expect(finding.fix === undefined).toBe(verdict === 'ok')
})
