/** Codes of gRPC that mean something here. facts: grpc.io, "Status codes". */
export const GRPC = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const

/** A call that failed: with what the other side said, or with `UNAVAILABLE` because it said nothing. */
export class GrpcError extends Error {
  readonly status: number
  /** The other side cannot have carried it out. */
  readonly hadNoEffect: boolean

  constructor(
    status: number,
    message: string,
    options: { readonly hadNoEffect?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.status = status
    this.hadNoEffect = options.hadNoEffect ?? false
  }
}
