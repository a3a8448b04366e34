import { expect, test } from 'vitest'
import { run } from './program.ts'

test('a program is run without a shell, and answers how it ended and what it said, notices aside', async () => {
  const { code, said } = await run(
    ['node', '-e'],
    ['console.log(process.argv[1]); console.error("[notice] x"); process.exit(3)', '$(id); *'],
  )
  expect({ code, said }).toEqual({ code: 3, said: '$(id); *' })
})

test('one that is not there is said so', async () => {
  await expect(run(['/nowhere/nginx'], ['-t'])).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('one that is taken back is ended, and answers with the reason', async () => {
  const gone = new AbortController()
  const running = run(['node', '-e'], ['setInterval(() => {}, 1000)'], gone.signal)
  setTimeout(() => gone.abort(new Error('a newer table came')), 50)
  await expect(running).rejects.toThrow('a newer table came')
})
