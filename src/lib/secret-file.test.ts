import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readSecretFile } from './secret-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'flotilla-secret-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string, mode: number): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

test('reads a file that only its owner can touch, without the line feed', async () => {
  const secret = await readSecretFile(file('good', ' flt_abc\n', 0o600))
  expect(secret.reveal()).toBe('flt_abc')
  expect(`${JSON.stringify(secret)}${String(secret)}`).not.toContain('flt_abc')
  expect((await readSecretFile(file('readonly', 'flt_abc', 0o400))).reveal()).toBe('flt_abc')
})

test.for([0o644, 0o640, 0o660, 0o604, 0o602, 0o777])('refuses mode %o, and says what to type', async (mode) => {
  const path = file(`open-${mode}`, 'canary', mode)
  await expect(readSecretFile(path)).rejects.toMatchObject({
    code: 'INSECURE_FILE',
    details: { hint: `Run: chmod 600 ${path}` },
  })
})

test.for([
  ['absent', undefined, 'NOT_FOUND'],
  ['empty', '', 'UNAUTHENTICATED'],
  ['two-lines', 'a\nb', 'UNAUTHENTICATED'],
  ['binary', 'a\u0000b', 'UNAUTHENTICATED'],
  ['long', 'x'.repeat(5000), 'TOO_LARGE'],
] as const)('refuses a file that is %s', async ([name, content, code]) => {
  const path = content === undefined ? join(folder, name) : file(name, content, 0o600)
  await expect(readSecretFile(path)).rejects.toMatchObject({ code })
})

test('says how to make a file that is not there', async () => {
  await expect(readSecretFile(join(folder, 'not there'))).rejects.toMatchObject({
    details: { hint: expect.stringContaining(`(umask 077; cat > '${folder}/not there')`) as string },
  })
})

test('refuses a folder', async () => {
  await expect(readSecretFile(folder)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('of a file with more than a token it is said what belongs there', async () => {
  const path = file('keys', 'KEY write music\n', 0o600)
  await expect(readSecretFile(path)).rejects.toMatchObject({ details: { hint: expect.stringContaining('one word') } })
})
