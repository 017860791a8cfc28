import Testing

/// Expects a tool to end with this code and to say this, word for word, and nothing on standard output.
func expectRefusal(
  _ tool: String, _ arguments: [String], _ status: Int32, _ message: String, environment: [String: String] = [:],
  shell: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let outcome = try ToolProcess(tool, arguments, environment: environment, shell: shell).wait()
  #expect(outcome.errors == "\(tool): \(message)\n", sourceLocation: sourceLocation)
  #expect(outcome.status == status, sourceLocation: sourceLocation)
  #expect(outcome.output == "", sourceLocation: sourceLocation)
}
