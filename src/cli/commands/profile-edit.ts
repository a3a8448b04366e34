import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChangeAnswer, ProfileAnswer } from '../../core/api-profiles.ts'
import { FlotillaError, isError } from '../../core/errors.ts'
import { diff } from '../../core/json-patch/diff.ts'
import type { Json } from '../../core/json-patch/json.ts'
import { documentOf } from '../../core/profile/profile.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { parseWhole } from '../json-words.ts'
import { PROFILE, toldOf } from '../profile-words.ts'

const TRIES = 50
const OUTPUT_CHARS = 1024 * 1024

export const profileEdit = command({
  arguments: [
    PROFILE,
    { name: 'CMD', summary: 'reads the profile on its standard input, writes it changed', variadic: true },
  ],
  options: { ...CLIENT },
  details:
    'Without CMD it opens VISUAL or EDITOR. What was changed is sent as a patch that fits only where nobody else changed the same: ' +
    'then CMD is run again on what is there now, and an editor’s text is kept in a file, with exit code 5.',
  examples: ['flotilla profile edit example', `flotilla profile edit example -- jq '.params.members += ["me"]'`],
  async run({ args, options }, context) {
    const answer = await withHub(options, context, (hub) =>
      args.CMD.length === 0 ? inEditor(hub, args.PROFILE, context) : byCommand(hub, args.PROFILE, args.CMD, context),
    )
    if (answer === undefined) context.output.note('nothing was changed')
    else if (options.json) context.output.json('change', answer)
    else context.output.print(toldOf('edited')(answer))
    return 0
  },
})

async function byCommand(
  { profiles }: Hub,
  name: string,
  [file = '', ...words]: readonly string[],
  context: Context,
): Promise<ChangeAnswer | undefined> {
  for (let tries = 1; ; tries++) {
    const profile = await profiles.get(name, { signal: context.signal })
    const text = await filtered(file, words, textOf(profile), context)
    try {
      return await send({ profiles }, profile, parsed(text), context)
    } catch (error) {
      if (!isError(error, 'LOST_RACE') || tries >= TRIES) throw error
    }
  }
}

async function inEditor(hub: Hub, name: string, context: Context): Promise<ChangeAnswer | undefined> {
  const editor =
    [context.env['VISUAL'], context.env['EDITOR']].find((each) => each !== undefined && each !== '') ?? 'vi'
  const profile = await hub.profiles.get(name, { signal: context.signal })
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-edit-'))
  const file = join(folder, `${name}.json`)
  await writeFile(file, textOf(profile), { mode: 0o600 })
  try {
    // EDITOR may have options of its own, as in "code --wait": the shell splits it, and the file is its argument.
    await ended(spawn('sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' }))
    const answer = await send(hub, profile, parsed(await readFile(file, 'utf8')), context)
    await rm(folder, { recursive: true, force: true })
    return answer
  } catch (error) {
    context.output.note(`your text is kept in ${file}`)
    throw error
  }
}

async function send(
  { profiles }: Pick<Hub, 'profiles'>,
  profile: ProfileAnswer,
  edited: Json,
  context: Context,
): Promise<ChangeAnswer | undefined> {
  const patch = diff(documentOf(profile), edited, { guarded: true }) as unknown as readonly Json[]
  if (patch.length === 0) return undefined
  return profiles.change({ op: 'patch', profile: profile.name, patch }, { signal: context.signal })
}

function textOf(profile: ProfileAnswer): string {
  return `${JSON.stringify(documentOf(profile), undefined, 2)}\n`
}

function parsed(text: string): Json {
  return parseWhole(text, 'what came back')
}

async function filtered(file: string, words: readonly string[], input: string, { signal }: Context): Promise<string> {
  const child = spawn(file, [...words], { stdio: ['pipe', 'pipe', 'inherit'], signal })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    if (output.length > OUTPUT_CHARS) child.kill()
  })
  // It may end without reading: its exit code says whether that was meant.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  await ended(child)
  return output
}

function ended(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => {
      reject(new FlotillaError('USAGE', 'the command could not be started', { cause }))
    })
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new FlotillaError('USAGE', `the command ended with ${code ?? signal}; nothing was changed`))
    })
  })
}
