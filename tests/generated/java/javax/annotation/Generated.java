package javax.annotation;

/** The annotation on generated classes, which no runtime since Java 11 has. */
public @interface Generated {
    String[] value();

    String comments() default "";
}
