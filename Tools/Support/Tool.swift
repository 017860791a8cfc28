public import ArgumentParser
import DiffusionModels
import Foundation
import GraphIR
import GraphRuntime

/// Runs a command-line tool: parses, runs, and turns what is thrown into a sentence and an exit code.
///
/// 0 is success; usage errors exit with 2, other errors with their code, and a run that a signal stopped with
/// 128 + the signal's number.
public enum Tool {
  /// Runs a command with the process's arguments and ends the process.
  ///
  /// - Parameter rewrite: changes an argument that the parser does not understand as it is.
  public static func main(_ command: (some ParsableCommand).Type, rewrite: (String) -> String = { $0 }) -> Never {
    Interruption.catch()
    exit(run(command, CommandLine.arguments.dropFirst().map(rewrite)))
  }

  /// Runs a command; returns its exit code.
  package static func run<Command: ParsableCommand>(_ command: Command.Type, _ arguments: [String]) -> Int32 {
    do {
      var parsed = try command.parseAsRoot(withEmptyValues(arguments))
      try Debug.check()
      try parsed.run()
      guard fflush(nil) == 0 else { throw SDError(.resources, "cannot write the results to standard output") }
      return 0
    } catch let error as SDError {
      report(command, error.description)
      if error.code == .cancelled, let signal = Interruption.signal { return 128 + signal }
      return error.code.rawValue
    } catch  where command.exitCode(for: error) == .success {
      print(command.message(for: error))
      return 0
    } catch {
      // Without a single argument the parser's full message is the whole help.
      let hint = "\n  See '\(name(of: command)) --help' for more information."
      report(command, arguments.isEmpty ? command.message(for: error) + hint : command.fullMessage(for: error))
      return SDError.Code.usage.rawValue
    }
  }

  /// `--prompt=` as `--prompt` and an empty value: the parser would take the next argument for its value.
  private static func withEmptyValues(_ arguments: [String]) -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    return arguments[..<end].flatMap { argument in
      let isEmpty = argument.hasPrefix("--") && argument.firstIndex(of: "=") == argument.indices.last
      return isEmpty ? [String(argument.dropLast()), ""] : [argument]
    } + arguments[end...]
  }

  private static func name(of command: any ParsableCommand.Type) -> String { command.configuration.commandName ?? "sd" }

  private static func report(_ command: any ParsableCommand.Type, _ message: String) {
    let text = message.hasPrefix("Error: ") ? String(message.dropFirst(7)) : message
    // A path can be thousands of characters long; a message must not.
    let limit = 2_900
    StandardError.print("\(name(of: command)): " + (text.count > limit ? text.prefix(limit) + " ..." : text))
  }
}
