#include "sim/device/rtc.h"

#include "sim/device/device.h"

enum rtc_register {
    TIME_LOW = 0x00,
    TIME_HIGH = 0x04,
    ALARM_LOW = 0x08,
    ALARM_HIGH = 0x0c,
    IRQ_ENABLED = 0x10,
    CLEAR_ALARM = 0x14,
    ALARM_STATUS = 0x18,
    CLEAR_INTERRUPT = 0x1c,
};

static uint64_t rtc_time(const struct object *object)
{
    const struct rtc_config *config = object->config;
    const struct rtc_state *state = object->state;

    return config->start_ns + state->offset_ns + device_now_ns(object);
}

static void rtc_update(struct object *object)
{
    const struct rtc_config *config = object->config;
    const struct rtc_state *state = object->state;

    object_set_line(object->links[0], config->irq, state->irq_pending && state->irq_enabled);
}

static uint64_t rtc_deadline(const struct object *object)
{
    const struct rtc_config *config = object->config;
    const struct rtc_state *state = object->state;

    if (state->alarm_armed == 0)
        return CYCLE_NEVER;
    return hz_cycle_of(state->alarm_ns - config->start_ns - state->offset_ns, NS_HZ,
                       machine_config(object->machine)->clock_hz);
}

static void rtc_fire(struct object *object, uint64_t now)
{
    struct rtc_state *state = object->state;

    (void)now;
    state->alarm_armed = 0;
    state->irq_pending = 1;
    machine_deadline_changed(object->machine);
    rtc_update(object);
}

/* After the alarm or the time was set: an alarm that is due is raised at once. */
static void rtc_check_alarm(struct object *object)
{
    const struct rtc_state *state = object->state;

    machine_deadline_changed(object->machine);
    if (state->alarm_armed != 0 && rtc_time(object) >= state->alarm_ns)
        rtc_fire(object, machine_now(object->machine));
}

static bool rtc_access_ok(uint64_t offset, uint32_t size)
{
    return size == 4 && offset % 4 == 0 && offset < RTC_SIZE;
}

static bool rtc_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    struct rtc_state *state = object->state;
    uint64_t time = rtc_time(object);

    if (!rtc_access_ok(offset, size))
        return false;
    *value = 0;
    if (offset == TIME_LOW) {
        state->time_high = (uint32_t)(time >> 32);
        *value = (uint32_t)time;
    } else if (offset == TIME_HIGH) {
        *value = state->time_high;
    } else if (offset == ALARM_LOW) {
        *value = (uint32_t)state->alarm_ns;
    } else if (offset == ALARM_HIGH) {
        *value = state->alarm_ns >> 32;
    } else if (offset == IRQ_ENABLED) {
        *value = state->irq_enabled;
    } else if (offset == ALARM_STATUS) {
        *value = state->alarm_armed;
    }
    return true;
}

static uint64_t with_low(uint64_t whole, uint64_t low)
{
    return (whole & ~(uint64_t)UINT32_MAX) | (low & UINT32_MAX);
}

static uint64_t with_high(uint64_t whole, uint64_t high)
{
    return (whole & UINT32_MAX) | high << 32;
}

static void rtc_set_time(struct object *object, uint64_t time)
{
    struct rtc_state *state = object->state;

    state->offset_ns += time - rtc_time(object);
    rtc_check_alarm(object);
}

static bool rtc_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    struct rtc_state *state = object->state;

    if (!rtc_access_ok(offset, size))
        return false;
    switch ((enum rtc_register)offset) {
    case TIME_LOW:
        rtc_set_time(object, with_low(rtc_time(object), value));
        break;
    case TIME_HIGH:
        rtc_set_time(object, with_high(rtc_time(object), value));
        break;
    case ALARM_LOW:
        state->alarm_ns = with_low(state->alarm_ns, value);
        state->alarm_armed = 1;
        rtc_check_alarm(object);
        break;
    case ALARM_HIGH:
        state->alarm_ns = with_high(state->alarm_ns, value);
        rtc_check_alarm(object);
        break;
    case IRQ_ENABLED:
        state->irq_enabled = value & 1;
        break;
    case CLEAR_ALARM:
        state->alarm_armed = 0;
        machine_deadline_changed(object->machine);
        break;
    case CLEAR_INTERRUPT:
        state->irq_pending = 0;
        break;
    case ALARM_STATUS:
        break;
    }
    rtc_update(object);
    return true;
}

static bool rtc_check_config(const void *config, struct err *err)
{
    const struct rtc_config *rtc = config;

    return device_check_region(rtc->base, RTC_SIZE, err);
}

static bool rtc_open(struct object *object, struct err *err)
{
    const struct rtc_config *config = object->config;

    return hz_check(NS_HZ, machine_config(object->machine)->clock_hz, err) &&
           device_add_region(object, config->base, RTC_SIZE, err);
}

static const struct attr rtc_config_attrs[] = {
    ATTR(struct rtc_config, base, 0, "physical address"),
    ATTR(struct rtc_config, start_ns, 0, "date at virtual time 0, ns since 1970"),
    ATTR(struct rtc_config, irq, 0, "line of the interrupt controller"),
    ATTR(struct rtc_config, unused, 0, "fills the struct"),
};

static const struct attr rtc_state_attrs[] = {
    ATTR(struct rtc_state, offset_ns, 0, "what the guest's setting of the clock adds"),
    ATTR(struct rtc_state, alarm_ns, 0, "time of the alarm"),
    ATTR(struct rtc_state, time_high, 0, "high half of the time, as of the read of the low half"),
    ATTR_FLAG(struct rtc_state, alarm_armed, 0, "the alarm is set"),
    ATTR_FLAG(struct rtc_state, irq_enabled, 0, "the alarm may interrupt"),
    ATTR_FLAG(struct rtc_state, irq_pending, 0, "the alarm went off and was not cleared"),
    ATTR(struct rtc_state, unused, 0, "fills the struct"),
};

static const struct link_slot rtc_links[] = {
    {"interrupts", "sifive-plic", false, "the interrupt controller"},
};

const struct schema rtc_schema = {
    .name = "goldfish-rtc",
    .version = 1,
    .state = ATTR_TABLE(struct rtc_state, rtc_state_attrs),
    .config = ATTR_TABLE(struct rtc_config, rtc_config_attrs),
    .links = rtc_links,
    .link_count = 1,
    .meaning = "real-time clock with an alarm",
};

static const struct mmio_ops rtc_mmio = {rtc_read, rtc_write};

const struct model rtc_model = {
    .name = "goldfish-rtc",
    .schema = &rtc_schema,
    .open = rtc_open,
    .check_config = rtc_check_config,
    .deadline = rtc_deadline,
    .fire = rtc_fire,
    .mmio = &rtc_mmio,
};
