==> CellblockChecks.java <==
public class CellblockChecks {
    static int count = 0;
    static int failed = 0;

    /** Says in a line of TAP whether {@code actual} is what was expected. */
    static void check(String name, Object actual, Object expected) {
        count++;
        boolean good = java.util.Objects.deepEquals(actual, expected);
        System.out.println((good ? "ok " : "not ok ") + count + " - " + name);
        if (good) return;
        failed++;
        System.out.println("# expected: " + text(expected) + "\n# actual:   " + text(actual));
    }

    private static String text(Object value) {
        String list = java.util.Arrays.deepToString(new Object[] {value});
        return list.substring(1, list.length() - 1);
    }

    public static void main(String[] arguments) throws Exception {
        {{tests}}
        System.out.println("1.." + count);
        if (failed > 0 || count == 0) System.exit(1);
    }
}
==> * <==
{{code}}
