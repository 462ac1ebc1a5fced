<?php
// What the scripts of PHP's drivers share.
error_reporting(E_ALL & ~E_DEPRECATED);
ini_set('display_errors', '1');
ini_set('memory_limit', '1G');
ini_set('html_errors', '0');

$matrix = [];
foreach (getenv() as $name => $value) if (str_starts_with($name, 'MATRIX_')) $matrix[strtolower(substr($name, 7))] = $value;
define('ENV', $matrix);

function show(mixed $value): string {
    if (is_string($value)) {
        if (strlen($value) > 400) return strlen($value) . ' bytes ' . md5($value);
        return mb_check($value) ? json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES) : 'x' . bin2hex($value);
    }
    if (is_array($value)) {
        $shown = array_map(fn($key) => (is_int($key) ? '' : "$key: ") . show($value[$key]), array_keys($value));
        return '[' . implode(', ', $shown) . ']';
    }
    return is_float($value) ? var_export($value, true) : json_encode($value);
}

function mb_check(string $text): bool {
    return preg_match('//u', $text) === 1;
}

function say(string $name, mixed $value): void {
    echo "$name: ", str_replace("\n", '\n', is_string($value) ? $value : show($value)), "\n";
}

/** Runs one case; an error is a result like another. */
function attempt(string $name, callable $work): void {
    try {
        $value = $work();
        if ($value !== null && !is_object($value)) say($name, show($value));
    } catch (Throwable $error) {
        $state = $error instanceof mysqli_sql_exception ? $error->getSqlState() : '';
        $info = $error instanceof PDOException ? show($error->errorInfo) : '';
        say($name, 'error ' . get_class($error) . " {$error->getCode()} $state $info " . show($error->getMessage()));
    }
}

function cases(): array {
    $cases = [];
    foreach (file(ENV['cases'], FILE_IGNORE_NEW_LINES) as $line) {
        if (str_starts_with($line, '#')) continue;
        $parts = explode("\t", $line);
        $cases[] = [$parts[0], $parts[1], $parts[2], array_map('parameter', array_slice($parts, 3))];
    }
    return $cases;
}

function parameter(string $text): mixed {
    $value = substr($text, 2);
    return match ($text[0]) { 'i' => (int) $value, 'd' => (float) $value, 's' => $value, 'x' => hex2bin($value), 'n' => null };
}
