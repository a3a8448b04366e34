import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { staleFence } from '../core/coordination/fences.ts'
import { FileFences } from './fences.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-fences-'))
  file = join(folder, 'fences.json')
})
afterEach(() => rm(folder, { recursive: true }))

const stale = (promise: Promise<unknown>) => expect(promise).rejects.toMatchObject({ code: 'STALE_FENCE' })

it('a fence is refused once a later one of that name was seen, also after a restart', async () => {
  const fences = await FileFences.open(file)
  for (const text of ['elect/a/x@5', 'elect/a/y@9', 'elect/a/y@9', 'lock/a/x@2', 'elect/b/x@1']) {
    ;(await fences.enter(text, {}))()
  }
  await stale(fences.enter('elect/a/x@5', {}))
  const later = await FileFences.open(file)
  await stale(later.enter('elect/a/x@8', {}))
  ;(await later.enter('elect/a/z@9', {}))()
  ;(await later.enter('lock/a/x@2', {}))()
})

it('a later one waits until what is under way has its place, and what comes late is refused', async () => {
  const fences = await FileFences.open(file)
  const first = await fences.enter('elect/a/x@5', {})
  const second = await fences.enter('elect/a/x@5', {})
  let isIn = false
  const later = fences.enter('elect/a/y@9', {}).then((leave) => {
    isIn = true
    return leave
  })
  await expect
    .poll(async () =>
      fences.enter('elect/a/x@5', {}).then(
        () => 'in',
        () => 'refused',
      ),
    )
    .toBe('refused')
  first()
  await new Promise((resolve) => setImmediate(resolve))
  expect(isIn).toBe(false)
  second()
  ;(await later)()
  expect(isIn).toBe(true)
})

it('where the holder can be asked for, one that does not hold is refused and leaves no trace', async () => {
  const held = new Set(['elect/a/x@5'])
  const fences = await FileFences.open(file, async (fence) => {
    if (!held.has(`${fence.key}@${fence.revision}`)) throw staleFence(fence)
    return { isExclusive: true }
  })
  await stale(fences.enter('elect/a/evil@999999', {}))
  ;(await fences.enter('elect/a/x@5', {}))()
  held.clear()
  await stale(fences.enter('elect/a/x@5', {}))
})

it('of several that hold at once the earlier one is as good as the later', async () => {
  const fences = await FileFences.open(file, () => Promise.resolve({ isExclusive: false }))
  ;(await fences.enter('elect/a/y@9', {}))()
  ;(await fences.enter('elect/a/x@5', {}))()
})

it('what could not be kept on the disk is kept by the next that comes, and nothing is written under it before', async () => {
  const file = join(folder, 'state', 'fences.json')
  const fences = await FileFences.open(file)
  await expect(fences.enter('elect/a/x@5', {})).rejects.toThrow()
  await expect(fences.enter('elect/a/x@5', {})).rejects.toThrow()
  await mkdir(join(folder, 'state'))
  await stale(fences.enter('elect/a/y@4', {}))
  ;(await fences.enter('elect/a/x@5', {}))()
  await stale((await FileFences.open(file)).enter('elect/a/y@4', {}))
})
