import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { runCli } from '../../../test/helpers/cli.ts'
import { needs } from '../../../test/helpers/needs.ts'

const folder = mkdtempSync(join(tmpdir(), 'flotilla-completion-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function script(shell: string): Promise<string> {
  const path = join(folder, shell)
  writeFileSync(path, (await runCli(['completion', shell])).out)
  return path
}

/** What each line is completed to: its last word is the one being typed. */
const CASES = [
  ['', ['up', 'join', 'status', 'datasets', 'token', 'completion'], ['datasets check']],
  ['st', ['status'], ['up']],
  ['datasets ', ['check', 'compile', 'clear-cache'], ['status']],
  ['datasets c', ['check', 'compile', 'clear-cache'], ['list']],
  ['datasets compile --t', ['--to', '--template'], ['--from']],
  ['datasets reload --flag ', ['soft', 'bad-files', 'hard'], ['--all']],
  ['status --w', ['--watch'], ['--tree']],
  ['nodes ', ['forget'], ['up']],
  ['adopt ', ['erddaputil'], ['status']],
  ['proxy ', ['render', 'check'], ['filedist']],
  ['proxy render ', ['filedist'], ['check']],
  ['proxy render filedist --ngi', ['--nginx-socket'], ['--proxy']],
  ['adopt erddaputil --', ['--json'], ['--node']],
  ['--no', ['--nodes', '--nodes-file'], ['status']],
  ['--nodes a,b datasets c', ['check', 'clear-cache'], ['--nodes']],
  ['datasets reload --no', ['--nodes', '--nodes-file'], ['--url']],
  ['completion ', ['bash', 'zsh', 'fish'], ['status']],
  ['token create --role ', ['reader', 'releaser', 'operator'], ['--label']],
] as const

const inBash = await needs({ tools: ['bash'] })

inBash.for(CASES)('bash completes "%s"', async ([line, offered, not]) => {
  const source = await script('bash')
  const words = `flotilla ${line}`.split(' ')
  const body = `source ${source}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _flotilla 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`
  const answer = execFileSync('bash', ['-c', body], { encoding: 'utf8' }).split('\n')
  for (const word of offered) expect(answer).toContain(word)
  for (const word of not) expect(answer).not.toContain(word)
})

inBash('bash offers folders and files where the command takes them', async () => {
  const source = await script('bash')
  const body = `cd ${folder}; mkdir -p sub; source ${source}; COMP_WORDS=(flotilla datasets check s); COMP_CWORD=3; _flotilla 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`
  expect(execFileSync('bash', ['-c', body], { encoding: 'utf8' }).trim()).toBe('sub')
  const both = body
    .replace('(flotilla datasets check s)', "(flotilla adopt '')")
    .replace('COMP_CWORD=3', 'COMP_CWORD=2')
  expect(execFileSync('bash', ['-c', both], { encoding: 'utf8' }).split('\n')).toEqual(
    expect.arrayContaining(['erddaputil', 'sub']),
  )
})

const inFish = await needs({ tools: ['fish'] })

inFish.for(CASES)('fish completes "%s"', async ([line, offered, not]) => {
  const source = await script('fish')
  const body = `source ${source}; complete -C 'flotilla ${line}'`
  const answer = execFileSync('fish', ['--no-config', '-c', body], {
    encoding: 'utf8',
    env: { ...process.env, HOME: folder },
  })
  const words = answer.split('\n').map((row) => row.split('\t')[0])
  for (const word of offered) expect(words).toContain(word)
  for (const word of not) expect(words).not.toContain(word)
})

const inZsh = await needs({ tools: ['zsh'] })

inZsh('zsh reads the script without an error', async () => {
  execFileSync('zsh', ['-n', await script('zsh')])
})

inZsh.for(CASES)('zsh completes "%s"', async ([line, offered, not]) => {
  const source = await script('zsh')
  // The completion system needs a terminal; these stand for its functions and print what they are given.
  const doubles = `compdef() { : }; _describe() { print -l -- "\${(@)offers%%:*}" }; compadd() { shift; print -l -- "$@" }; _files() { : }`
  const words = `flotilla ${line}`.split(' ')
  const body = `${doubles}; source ${source}; words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; PREFIX='${words.at(-1) ?? ''}'; _flotilla`
  const answer = execFileSync('zsh', ['-f', '-c', body], { encoding: 'utf8' }).split('\n')
  const begun = answer.filter((word) => word.startsWith(words.at(-1) ?? ''))
  for (const word of offered) expect(begun).toContain(word)
  for (const word of not) expect(begun).not.toContain(word)
})
