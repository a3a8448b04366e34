import { z } from 'zod'
import { isName } from '../core/keys.ts'
import { path } from './units.ts'

const MODE = 'takes an octal mode in quotes, such as "0644" or "0750"'
const PROFILE = 'takes names of profiles'
const COMMAND = 'takes a program and its arguments as a list, such as [nginx, -t, -c, "{}"]'
const command = z
  .array(z.string({ error: COMMAND }).min(1, { error: COMMAND }), { error: COMMAND })
  .min(1)
  .max(50)

/** One template, or a folder of them, and the file or folder that is made of it on this node. */
export const template = z.strictObject({
  from: path().describe(
    'template, or folder of them; names that start with `_` are for including, and `.tmpl` at the end of a name is left out',
  ),
  to: path().describe('file that is made of it, or folder for those of a folder'),
  profiles: z
    .array(z.string({ error: PROFILE }).refine(isName, { error: PROFILE }), { error: PROFILE })
    .max(16)
    .default([])
    .describe('profiles whose params it uses, in their order and before `global`; with `tokenFile`'),
  tokenFile: path()
    .optional()
    .describe(
      'file that holds a token which may read `profiles`; without it the params count that the profiles of this node give it',
    ),
  mode: z
    .string({ error: MODE })
    .regex(/^0?[0-7]{3}$/, { error: MODE })
    .default('0644')
    .describe(
      'mode of the file; one that holds a token, or a value of `values`, is for its owner only whatever this says',
    ),
  owner: z
    .string()
    .regex(/^[\w.-]+(?::[\w.-]+)?$/, { error: 'takes USER or USER:GROUP, such as tomcat:tomcat' })
    .optional()
    .describe('whose the file is, as USER or USER:GROUP; that of the agent when not set'),
  quoting: z
    .enum(['shell', 'plain'])
    .optional()
    .describe('how values are written; as the name and the first line tell when not set: `shell` for scripts'),
  check: command
    .refine((words) => words.some((word) => word.includes('{}')), {
      error: 'needs "{}" where the path of the new file belongs',
    })
    .optional()
    .describe('program and arguments that judge the new file, `{}`, before it takes its place; run without a shell'),
  after: command.optional().describe('program and arguments that are run after the file has changed; `{}` is the file'),
})

export type TemplateSettings = z.output<typeof template>

/** A node may not read other profiles than its own by themselves. */
export function whyNoProfiles({ profiles, tokenFile }: TemplateSettings, hub: string | undefined): string | undefined {
  if (profiles.length === 0 || tokenFile !== undefined || hub === undefined) return undefined
  return 'needs `tokenFile`; or else an operator gives this node the profiles, in `profiles` of `node.` and its name'
}
