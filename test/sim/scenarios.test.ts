import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS, Story } from './commands.ts'

/*
 * Each file of `scenarios` is a story: comments, commands, and after `----` what each command answered, up to the next
 * empty line. UPDATE_SCENARIOS=1 writes the answers anew; read the difference before you believe it.
 */
const FOLDER = join(import.meta.dirname, 'scenarios')
const UPDATE = process.env['UPDATE_SCENARIOS'] === '1'

test.for(readdirSync(FOLDER).filter((name) => name.endsWith('.txt')))('scenario: %s', async (name) => {
  const path = join(FOLDER, name)
  const text = readFileSync(path, 'utf8')
  const story = new Story()
  const played: string[] = []
  for (const block of text.trimEnd().split('\n\n')) played.push(await play(story, block))
  expect(story.world.invariants.violations).toEqual([])
  const result = `${played.join('\n\n')}\n`
  if (UPDATE) writeFileSync(path, result)
  else expect(result).toBe(text)
})

/** Plays the commands of one block; answers the block with what they answered. */
async function play(story: Story, block: string): Promise<string> {
  const [script = ''] = block.split('\n----')
  const answers: string[] = []
  let commands = 0
  for (const line of script.split('\n')) {
    if (line.startsWith('#')) continue
    const [name = '', ...args] = line.split(' ')
    const command = COMMANDS[name]
    if (command === undefined) throw new Error(`no command is called "${name}"`)
    commands += 1
    const answer = await command(story, args)
    if (answer !== '') answers.push(answer)
  }
  return commands === 0 ? script : [script, '----', ...answers].join('\n')
}
