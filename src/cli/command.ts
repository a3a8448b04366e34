import type { Context } from './context.ts'

/** What the shell may offer in place of a value. */
export type Completes = 'file' | 'folder' | readonly string[]

export interface Flag {
  readonly type: 'flag'
  readonly summary: string
}

export interface Value {
  readonly type: 'value'
  readonly placeholder: string
  readonly summary: string
  readonly required?: true
  readonly fallback?: string
  /** The only values there are; anything else is a usage error. */
  readonly choices?: readonly string[]
  /** What a value must look like; anything else is a usage error. */
  readonly form?: { readonly test: (text: string) => boolean; readonly words: string }
  readonly completes?: Completes
  /** One letter. */
  readonly short?: string
}

/** May be given any number of times. */
export interface List {
  readonly type: 'list'
  readonly placeholder: string
  readonly summary: string
}

export type Option = Flag | Value | List

/** By name in camel case: `tokenFile` is typed as `--token-file`. */
export type Options = Readonly<Record<string, Option>>

export interface Argument {
  /** In capitals, as it stands in the help: `DIR`. */
  readonly name: string
  readonly summary: string
  readonly optional?: true
  /** Takes all that are left. */
  readonly variadic?: true
  readonly completes?: Completes
}

/**
 * One command: everything that help, completion, parsing and the reference need, and what it does.
 * `run` answers the exit code, or passes on that of a command it ran; it throws `FlotillaError` for what went wrong and
 * prints nothing of it itself.
 */
export interface Command<O extends Options = Options, A extends readonly Argument[] = readonly Argument[]> {
  readonly arguments: A
  readonly options: O
  /** More than the summary in the table of commands says; a few sentences. */
  readonly details?: string
  /** Whole command lines. */
  readonly examples: readonly string[]
  run(input: Input<O, A>, context: Context): Promise<number>
}

export interface Input<O extends Options = Options, A extends readonly Argument[] = readonly Argument[]> {
  readonly options: { readonly [K in keyof O]: OptionValue<O[K]> }
  readonly args: { readonly [B in A[number] as B['name']]: ArgumentValue<B> }
}

type OptionValue<O extends Option> = O extends Flag
  ? boolean
  : O extends List
    ? readonly string[]
    : O extends { required: true } | { fallback: string }
      ? Text<O>
      : Text<O> | undefined

type Text<O> = O extends { choices: readonly (infer C)[] } ? C : string

type ArgumentValue<A extends Argument> = A extends { variadic: true }
  ? readonly string[]
  : A extends { optional: true }
    ? string | undefined
    : string

/** Types `run` by the options and arguments beside it, then forgets them: the table holds plain commands. */
export function command<const O extends Options, const A extends readonly Argument[]>(spec: Command<O, A>): Command {
  return spec
}

/** `tokenFile` → `token-file`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
