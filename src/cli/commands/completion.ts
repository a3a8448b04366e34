import { FlotillaError } from '../../core/errors.ts'
import { didYouMean } from '../../lib/closest.ts'
import { command } from '../command.ts'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { shapes } from '../completion/model.ts'
import { zshCompletion } from '../completion/zsh.ts'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export const completion = command({
  arguments: [{ name: 'SHELL', summary: 'bash, zsh or fish', completes: ['bash', 'zsh', 'fish'] }],
  options: {},
  examples: [
    'source <(flotilla completion bash)',
    'flotilla completion zsh > "${fpath[1]}/_flotilla"',
    'flotilla completion fish > ~/.config/fish/completions/flotilla.fish',
  ],
  async run({ args }, { output }) {
    const shell = args.SHELL
    if (!Object.hasOwn(SHELLS, shell)) {
      throw new FlotillaError('USAGE', `there is no completion for "${shell}"`, {
        hint: didYouMean(shell, Object.keys(SHELLS)) ?? 'It is there for bash, zsh and fish.',
      })
    }
    output.out.write(SHELLS[shell as keyof typeof SHELLS](await shapes()))
    return 0
  },
})
